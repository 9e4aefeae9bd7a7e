import { type Rule, TEXT } from '../rule.ts'

const listing = { status: 200, type: TEXT, body: '0.1/\ncomputeMetadata/\n', headers: { 'metadata-flavor': 'Google' } }

export const rule: Rule = {
  title: '`/` answers its listing, whatever flavor the request has: Go sends none there',
  source: 'docs/wire.md, "Required header"',
  check: (server) =>
    server.expectAll([
      ['/', listing],
      ['/', listing, { headers: {} }],
      ['/', listing, { headers: { 'Metadata-Flavor': 'Not Google' } }],
    ]),
}
