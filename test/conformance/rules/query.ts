import { V1 } from '../../http-client.ts'
import { type Rule, text } from '../rule.ts'

const QUERIES = ['foo=bar', 'a=%20+%2B', 'x=%ZZ', '%', '&&=', 'foo[]=1', `long=${'x'.repeat(2_000)}`, 'foo=%ff%00', '?']

export const rule: Rule = {
  title: 'unknown parameters are ignored, in whatever encoding',
  source: 'docs/wire.md, "Query parameters"',
  check: async (server) => {
    const projectId = await server.read(`${V1}/project/project-id`)
    return server.expectAll(QUERIES.map((query) => [`${V1}/project/project-id?${query}`, text(projectId)]))
  },
}
