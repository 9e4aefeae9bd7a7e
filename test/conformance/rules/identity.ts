import { DEFAULT_ACCOUNT, V1 } from '../../http-client.ts'
import { readJwt } from '../jwt.ts'
import { HTML, type Rule } from '../rule.ts'

const QUERY = 'identity?audience=https://conformance.example'
const isJwt = (body: string) => {
  const { head } = readJwt(body) ?? {}
  if (head === undefined) return 'is not a JWT alone'
  return head.alg === 'RS256' && head.typ === 'JWT' && typeof head.kid === 'string'
    ? undefined
    : 'has not RS256, JWT and a kid in its head'
}

export const rule: Rule = {
  title: '`identity` is a JWT signed with RS256 and nothing else, as `text/html` without a charset',
  source: 'docs/wire.md, "Content types"',
  check: async (server) => {
    const email = await server.email()
    const expected = { status: 200, type: HTML, body: isJwt }
    return server.expectAll([
      [`${DEFAULT_ACCOUNT}/${QUERY}`, expected],
      [`${V1}/instance/service-accounts/${email}/${QUERY}`, expected],
    ])
  },
}
