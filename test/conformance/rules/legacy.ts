import { DEFAULT_ACCOUNT } from '../../http-client.ts'
import { forbidden, notFound, type Row, type Rule } from '../rule.ts'

const BETA = DEFAULT_ACCOUNT.replace('v1', 'v1beta1')
const OLD = '/0.1/meta-data/service-accounts/default/acquire'
const detail = (path: string) =>
  `Legacy metadata endpoint accessed: ${path}\nLegacy metadata endpoints are disabled. Please use the /v1/ endpoint.`

export const rule: Rule = {
  title: 'the old paths give nothing, with the flavor header or without: `v1beta1` is a 403 that says why, `0.1` a 404',
  source: 'docs/wire.md, "Legacy paths"',
  check: (server) =>
    server.expectAll([
      ...['/token', '/email'].map((key): Row => [BETA + key, forbidden(BETA + key, detail(BETA + key))]),
      [`${BETA}/token`, { status: 403 }, { headers: {} }],
      [OLD, notFound(OLD)],
      [OLD, { status: 404 }, { headers: {} }],
    ]),
}
