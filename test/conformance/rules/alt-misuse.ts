import { V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

export const rule: Rule = {
  title: 'an unknown `alt`, and `alt` on a directory without `recursive=true`, is a 400',
  source: 'docs/wire.md, "Query parameters"',
  check: (server) =>
    server.expectAll([
      [`${V1}/project/project-id?alt=xml`, { status: 400 }],
      [`${V1}/project/?recursive=true&alt=xml`, { status: 400 }],
      [`${V1}/project/?alt=json`, { status: 400 }],
      [`${V1}/project/?alt=text`, { status: 400 }],
    ]),
}
