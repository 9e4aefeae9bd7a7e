import { FLAVOR, V1 } from '../../http-client.ts'
import { type Rule, text } from '../rule.ts'

const HOSTS = [
  'metadata.google.internal',
  'metadata.google.internal.',
  'metadata',
  'metadata.goog',
  '169.254.169.254',
  '169.254.169.254:80',
]

export const rule: Rule = {
  title: "each of Google's own names is answered as Host, with the final dot too",
  source: 'docs/wire.md, "Addresses and Host"',
  check: (server) =>
    server.expectAll(
      HOSTS.map((Host) => [`${V1}/project/project-id`, text(undefined), { headers: { ...FLAVOR, Host } }]),
    ),
}
