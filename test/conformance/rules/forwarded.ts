import { DEFAULT_ACCOUNT, FLAVOR, V1 } from '../../http-client.ts'
import { PAGE, type Row, type Rule } from '../rule.ts'

export const rule: Rule = {
  title: 'a request with X-Forwarded-For, empty too, is a 403',
  source: 'docs/wire.md, "X-Forwarded-For"',
  check: (server) =>
    server.expectAll(
      [`${V1}/project/project-id`, `${DEFAULT_ACCOUNT}/token`].flatMap((path) =>
        ['10.0.0.1', ''].map(
          (value): Row => [path, { status: 403, type: PAGE }, { headers: { ...FLAVOR, 'X-Forwarded-For': value } }],
        ),
      ),
    ),
}
