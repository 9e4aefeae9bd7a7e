import { FLAVOR, V1 } from '../../http-client.ts'
import { page, type Row, type Rule } from '../rule.ts'

const refused = (method: string, path: string): Row => [
  path,
  {
    ...page(
      405,
      'Method Not Allowed',
      `The request method <code>${method}</code> is inappropriate for the URL <code>${path}</code>.`,
    ),
    headers: { allow: 'GET, HEAD' },
  },
  { method, headers: { ...FLAVOR, Origin: 'http://page.example' } },
]

export const rule: Rule = {
  title: 'other methods than GET and HEAD are a 405 page, in the paths of other clouds too',
  source: 'docs/wire.md, "Methods"',
  check: (server) =>
    server.expectAll([
      ...['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'].map((method) => refused(method, `${V1}/project/project-id`)),
      refused('PUT', '/latest/api/token'),
    ]),
}
