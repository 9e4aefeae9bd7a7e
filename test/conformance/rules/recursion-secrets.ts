import { V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

export const rule: Rule = {
  title: 'recursion leaves `token` and `identity` out',
  source: 'docs/wire.md, "Recursion and formats"',
  check: async (server) => {
    await server.email()
    const body = (text: string) => (/"(?:token|identity|access_token)":/.test(text) ? 'has a token' : undefined)
    return server.expectAll(
      ['', 'instance/', 'instance/service-accounts/', 'instance/service-accounts/default/'].map((path) => [
        `${V1}/${path}?recursive=true`,
        { status: 200, body },
      ]),
    )
  },
}
