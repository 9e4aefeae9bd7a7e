import { DEFAULT_ACCOUNT, V1 } from '../../http-client.ts'
import { json, parsed, type Rule, text } from '../rule.ts'

/** What a client sees: three fields in this order, and at least nearly five minutes left. */
const isToken = parsed(({ expires_in: life, ...token }) => {
  if (typeof token.access_token !== 'string' || token.access_token.length < 20) return 'has no access_token'
  if (token.token_type !== 'Bearer') return 'has not the token_type Bearer'
  if (!Number.isInteger(life)) return 'has an expires_in that is not a whole number'
  return Number(life) >= 290 ? undefined : `has an expires_in of ${life}: less than five minutes`
})
const FIELDS = /^\{"access_token":"[^"]+","expires_in":\d+,"token_type":"Bearer"\}$/

export const rule: Rule = {
  title:
    '`token` has `access_token`, `expires_in` (whole seconds, at least five minutes) and `token_type`, in that order',
  source: 'docs/wire.md, "Access tokens"',
  check: async (server) => {
    const email = await server.email()
    return server.expectAll([
      [`${DEFAULT_ACCOUNT}/token`, json(isToken)],
      [`${DEFAULT_ACCOUNT}/token`, json(FIELDS)],
      [`${V1}/instance/service-accounts/${email}/token`, json(isToken)],
      [`${DEFAULT_ACCOUNT}/token?alt=text`, text(/^access_token \S+\nexpires_in \d+\ntoken_type Bearer\n$/)],
    ])
  },
}
