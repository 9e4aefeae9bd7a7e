import { claimsOf } from '../jwt.ts'
import type { Rule } from '../rule.ts'

const SKEW_SECONDS = 30

export const rule: Rule = {
  title: 'an ID token lives for an hour and is at most five minutes old: Go takes it as good for an hour',
  source: 'docs/wire.md, "ID tokens"',
  check: async (server) => {
    await server.email()
    const { iat, exp } = await claimsOf(server, 'audience=https://conformance.example/age')
    const age = Date.now() / 1_000 - Number(iat)
    return [
      ...(Number(exp) - Number(iat) === 3_600 ? [] : [`a token lives for ${Number(exp) - Number(iat)} s`]),
      ...(age > -SKEW_SECONDS && age < 300 + SKEW_SECONDS
        ? []
        : [`a token is ${Math.round(age)} s old when it is given out`]),
    ]
  },
}
