import { FLAVOR, V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

const TARGETS = [
  '/',
  `${V1}/`,
  `${V1}/?recursive=true`,
  `${V1}/project/project-id`,
  `${V1}/project/nothing`,
  `${V1}/project`,
]

export const rule: Rule = {
  title: 'every answer says its length; none is chunked or compressed, whatever the client accepts',
  source: 'docs/wire.md, "Response headers"',
  check: async (server) => {
    const checks = TARGETS.map(async (target) => {
      const { headers, body } = await server.ask(target, {
        headers: { ...FLAVOR, 'Accept-Encoding': 'gzip, deflate, br' },
      })
      const found = {
        length: headers['content-length'],
        chunked: headers['transfer-encoding'],
        compressed: headers['content-encoding'],
      }
      const isRight =
        found.length === String(Buffer.byteLength(body)) &&
        found.chunked === undefined &&
        found.compressed === undefined
      return isRight ? [] : [`GET ${target}: ${Buffer.byteLength(body)} bytes with ${JSON.stringify(found)}`]
    })
    return (await Promise.all(checks)).flat()
  },
}
