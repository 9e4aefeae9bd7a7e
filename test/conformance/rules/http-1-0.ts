import { parseReply, V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

export const rule: Rule = {
  title: 'a request in HTTP/1.0 is answered, and not in chunks',
  source: 'https://www.rfc-editor.org/rfc/rfc9112#section-2.5',
  check: async (server) => {
    const projectId = await server.read(`${V1}/project/project-id`)
    const received = await server.raw(
      `GET ${V1}/project/project-id HTTP/1.0\r\nHost: ${server.host}\r\nMetadata-Flavor: Google\r\n\r\n`,
      `\r\n\r\n${projectId}`,
    )
    const { status, body, headers } = parseReply(received)
    return [
      ...(status === 200 ? [] : [`HTTP/1.0: status ${status}, not 200`]),
      ...(body === projectId ? [] : ['HTTP/1.0: the body is not the value']),
      ...(headers['transfer-encoding'] === undefined ? [] : ['HTTP/1.0: the answer is chunked']),
    ]
  },
}
