import { V1 } from '../../http-client.ts'
import { type Rule, text } from '../rule.ts'

export const rule: Rule = {
  title: "the flavor header's name is taken in any case",
  source: 'https://www.rfc-editor.org/rfc/rfc9110#section-5.1',
  check: (server) =>
    server.expectAll(
      ['metadata-flavor', 'METADATA-FLAVOR'].map((name) => [
        `${V1}/project/project-id`,
        text(undefined),
        { headers: { [name]: 'Google' } },
      ]),
    ),
}
