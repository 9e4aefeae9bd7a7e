import { V1 } from '../../http-client.ts'
import { json, parsed, type Row, type Rule, text } from '../rule.ts'

export const rule: Rule = {
  title: '`email`, `aliases` and `scopes` have their forms, under either name and in the recursive answer',
  source: 'docs/wire.md, "Recursion and formats"',
  check: async (server) => {
    const email = await server.email()
    const accounts = `${V1}/instance/service-accounts`
    const scopes = await server.read(`${accounts}/default/scopes`)
    const isAccount = parsed((account) =>
      JSON.stringify(account) ===
      JSON.stringify({ aliases: ['default'], email, scopes: scopes.split('\n').slice(0, -1) })
        ? undefined
        : 'is not aliases, email and scopes',
    )
    return server.expectAll(
      ['default', email].flatMap((name): Row[] => [
        [`${accounts}/${name}/email`, text(/^[^@\s]+@[^@\s]+$/)],
        [`${accounts}/${name}/aliases`, text('default\n')],
        [`${accounts}/${name}/scopes`, text(/^(?:https:\/\/\S+\n)+$/)],
        [`${accounts}/${name}/?recursive=true`, json(isAccount)],
      ]),
    )
  },
}
