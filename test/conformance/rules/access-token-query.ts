import { DEFAULT_ACCOUNT } from '../../http-client.ts'
import { json, type Rule } from '../rule.ts'

const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const QUERIES = [
  `scopes=${SCOPE}`,
  `scopes=${SCOPE},https://www.googleapis.com/auth/userinfo.email`,
  `scopes=${encodeURIComponent(`${SCOPE},https://www.googleapis.com/auth/userinfo.email`)}`,
  'scopes=',
  'recursive=true',
  'foo=bar',
]

export const rule: Rule = {
  title: '`token` takes scopes joined with commas, raw or encoded, and whatever else clients add',
  source: 'docs/wire.md, "Access tokens"',
  check: async (server) => {
    await server.email()
    const isToken = json(/^\{"access_token":"[^"]+","expires_in":[1-9]\d*,/)
    return server.expectAll(QUERIES.map((query) => [`${DEFAULT_ACCOUNT}/token?${query}`, isToken]))
  },
}
