import { V1 } from '../../http-client.ts'
import { notFound, type Rule, text } from '../rule.ts'

const DOMAIN = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/

export const rule: Rule = {
  title: '`universe-domain` is a domain, plain text with `recursive=true` too; `universe_domain` is a 404',
  source: 'docs/wire.md, "The Cloud Run tree"',
  check: (server) =>
    server.expectAll([
      [`${V1}/universe/universe-domain`, text(DOMAIN)],
      [`${V1}/universe/universe-domain?recursive=true`, text(DOMAIN)],
      [`${V1}/universe/universe_domain`, notFound(`${V1}/universe/universe_domain`)],
    ]),
}
