import { DEFAULT_ACCOUNT, V1 } from '../../http-client.ts'
import { forbidden, type Row, type Rule } from '../rule.ts'

const PATHS = [`${V1}/`, `${V1}/project/project-id`, `${DEFAULT_ACCOUNT}/token`, `${DEFAULT_ACCOUNT}/identity`]
const DETAIL = 'Missing Metadata-Flavor:Google header.'

export const rule: Rule = {
  title: 'without `Metadata-Flavor: Google` every key is a 403 that says so',
  source: 'docs/wire.md, "Required header"',
  check: (server) =>
    server.expectAll(
      PATHS.flatMap((path): Row[] => [
        [path, forbidden(path, DETAIL), { headers: {} }],
        [path, forbidden(path, DETAIL), { headers: { 'Metadata-Flavor': 'Something-Else' } }],
      ]),
    ),
}
