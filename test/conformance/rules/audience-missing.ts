import { DEFAULT_ACCOUNT } from '../../http-client.ts'
import { HTML, type Rule } from '../rule.ts'

const refused = { status: 400, type: HTML, body: 'non-empty audience parameter required' }

export const rule: Rule = {
  title: '`identity` without an audience, or with an empty one, is a 400 in these words',
  source: 'docs/wire.md, "Errors"',
  check: async (server) => {
    await server.email()
    return server.expectAll(
      ['', '?audience=', '?audience', '?format=full', '?Audience=x'].map((query) => [
        `${DEFAULT_ACCOUNT}/identity${query}`,
        refused,
      ]),
    )
  },
}
