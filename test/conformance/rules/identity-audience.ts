import { claimsOf } from '../jwt.ts'
import type { Rule } from '../rule.ts'

/** As clients send them: encoded by most, raw by Node.js, PHP, .NET and gcloud. */
const AUDIENCES: readonly (readonly [query: string, aud: string])[] = [
  ['audience=https://a.example', 'https://a.example'],
  ['audience=https://a.example/', 'https://a.example/'],
  ['audience=https%3A%2F%2Fa.example%2Fx%3Fy%3D1%23f', 'https://a.example/x?y=1#f'],
  ['audience=https://a.example/x?y=1', 'https://a.example/x?y=1'],
  ['audience=https://a.example/x?y=1&z=2', 'https://a.example/x?y=1'],
  ['format=standard&licenses=FALSE&audience=https://a.example/%20%2B', 'https://a.example/ +'],
  ['audience=a+b', 'a b'],
  ['audience=api', 'api'],
  ['audience=%C3%A4%E2%82%AC', 'ä€'],
]

export const rule: Rule = {
  title: 'the audience is in `aud` exactly as asked, whatever text it is; a raw `&` ends it',
  source: 'docs/wire.md, "ID tokens"',
  check: async (server) => {
    await server.email()
    const checks = AUDIENCES.map(async ([query, wanted]) => {
      const { aud } = await claimsOf(server, query)
      return aud === wanted ? [] : [`identity?${query}: aud is ${JSON.stringify(aud)}, not ${JSON.stringify(wanted)}`]
    })
    return (await Promise.all(checks)).flat()
  },
}
