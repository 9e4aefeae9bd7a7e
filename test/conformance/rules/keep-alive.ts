import { V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

export const rule: Rule = {
  title: 'a connection takes a second request: Go keeps its idle ones',
  source: 'docs/wire.md, "Response headers"',
  check: async (server) => {
    const get = (target: string) =>
      `GET ${V1}${target} HTTP/1.1\r\nHost: ${server.host}\r\nMetadata-Flavor: Google\r\n\r\n`
    const last = await server.read(`${V1}/project/numeric-project-id`)
    const received = await server.raw(get('/project/nothing') + get('/project/numeric-project-id'), `\r\n\r\n${last}`)
    const statuses = [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status)
    return statuses.join() === '404,200'
      ? []
      : [`two requests on one connection were answered with ${statuses.join() || 'nothing'}`]
  },
}
