import { DEFAULT_ACCOUNT, V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

const headers = {
  'metadata-flavor': 'Google',
  server: 'Metadata Server for VM',
  'x-xss-protection': '0',
  'x-frame-options': 'SAMEORIGIN',
  date: / GMT$/,
}

export const rule: Rule = {
  title: "each 200 has the flavor, Google's Server header, both X- headers and a Date",
  source: 'docs/wire.md, "Response headers"',
  check: async (server) => {
    await server.email()
    const identity = `${DEFAULT_ACCOUNT}/identity?audience=https://conformance.example`
    const targets = [
      '/',
      `${V1}/`,
      `${V1}/project/project-id`,
      `${V1}/?recursive=true`,
      `${DEFAULT_ACCOUNT}/token`,
      identity,
    ]
    return server.expectAll(targets.map((target) => [target, { status: 200, headers }]))
  },
}
