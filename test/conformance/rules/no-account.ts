import { DEFAULT_ACCOUNT, V1 } from '../../http-client.ts'
import { HTML, NotHere, type Rule } from '../rule.ts'

const BODY = '{"error":"invalid_request","error_description":"Service account not enabled on this instance"}'

export const rule: Rule = {
  title: 'without a service account `token` and `identity` are a 404 with a JSON object of 94 bytes',
  source: 'docs/wire.md, "Errors"',
  check: async (server) => {
    if ((await server.read(`${V1}/instance/service-accounts/`)) !== '') throw new NotHere('it has a service account')
    return server.expectAll([
      [`${DEFAULT_ACCOUNT}/token`, { status: 404, type: HTML, body: BODY }],
      [`${DEFAULT_ACCOUNT}/identity?audience=https://conformance.example`, { status: 404, type: HTML, body: BODY }],
    ])
  },
}
