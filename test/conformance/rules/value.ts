import { V1 } from '../../http-client.ts'
import { notFound, type Row, type Rule, text } from '../rule.ts'

const KEYS = ['project/project-id', 'project/numeric-project-id', 'instance/id', 'instance/zone']

export const rule: Rule = {
  title: 'a value is text without a newline at its end, and a 404 with a final slash',
  source: 'docs/wire.md, "Directories"',
  check: (server) =>
    server.expectAll(
      KEYS.flatMap((key): Row[] => [
        [`${V1}/${key}`, text(/^\S+$/)],
        [`${V1}/${key}/`, notFound(`${V1}/${key}/`)],
      ]),
    ),
}
