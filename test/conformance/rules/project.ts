import { V1 } from '../../http-client.ts'
import { type Rule, text } from '../rule.ts'

export const rule: Rule = {
  title: "`project-id` is an id, and `numeric-project-id` digits: gcloud's probe reads it",
  source: 'docs/wire.md, "The Cloud Run tree"',
  check: (server) =>
    server.expectAll([
      [`${V1}/project/project-id`, text(/^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$/)],
      [`${V1}/project/numeric-project-id`, text(/^\d+$/)],
    ]),
}
