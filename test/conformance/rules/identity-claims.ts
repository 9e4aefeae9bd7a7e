import { claimsOf, type Part } from '../jwt.ts'
import type { Rule } from '../rule.ts'

const NEEDED = ['aud', 'azp', 'exp', 'iat', 'iss', 'sub']

function problems(query: string, claims: Part, email: string | undefined): string[] {
  const lacking = NEEDED.filter((name) => claims[name] === undefined)
  return [
    ...(lacking.length === 0 ? [] : [`lacks ${lacking.join(', ')}`]),
    ...(/^\d{21}$/.test(String(claims.sub)) ? [] : ['has a sub that is not a number of 21 digits']),
    ...(claims.azp === claims.sub ? [] : ["has an azp that is not the account's number"]),
    ...(claims.email === email ? [] : [email === undefined ? 'has an email' : 'has not the email of its account']),
    ...(claims.email_verified === (email && true) ? [] : ['has a wrong email_verified']),
  ].map((problem) => `identity?${query}: the token ${problem}`)
}

export const rule: Rule = {
  title: "`format=full` adds the account's verified email; without it, or with `standard`, there is none",
  source: 'docs/wire.md, "Claims"',
  check: async (server) => {
    const email = await server.email()
    const audience = 'audience=https://conformance.example/claims'
    const rows: [string, string | undefined][] = [
      [audience, undefined],
      [`${audience}&format=standard&licenses=FALSE`, undefined],
      [`${audience}&format=full`, email],
      [`format=full&licenses=TRUE&${audience}`, email],
      [`format=full&${audience}&licenses=true`, email],
    ]
    const checks = rows.map(async ([query, wanted]) => problems(query, await claimsOf(server, query), wanted))
    return (await Promise.all(checks)).flat()
  },
}
