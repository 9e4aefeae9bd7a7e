import { V1 } from '../../http-client.ts'
import { notFound, type Row, type Rule } from '../rule.ts'

const TARGETS = [
  `${V1}/project/nothing`,
  `${V1}/nothing/?recursive=true`,
  `${V1}/instance/disks/9999/`,
  '/latest/meta-data/',
  '/computeMetadata/v2/',
]

export const rule: Rule = {
  title: 'an unknown key is a 404 page that names path and query',
  source: 'docs/wire.md, "Errors"',
  check: (server) =>
    server.expectAll([
      ...TARGETS.map((target): Row => [target, notFound(target)]),
      [`${V1}/project/nothing?a=1&b=2`, notFound(`${V1}/project/nothing?a=1&amp;b=2`)],
    ]),
}
