import { V1 } from '../../http-client.ts'
import { type Rule, text } from '../rule.ts'

export const rule: Rule = {
  title: 'the account is listed as `default` and as its email, and both directories are complete',
  source: 'docs/wire.md, "Service accounts"',
  check: async (server) => {
    const email = await server.email()
    const accounts = `${V1}/instance/service-accounts/`
    const isListed = (body: string) =>
      ['default', email].every((name) => body.split('\n').includes(`${name}/`)) ? undefined : 'lacks one of the two'
    return server.expectAll([
      [accounts, text(isListed)],
      [`${accounts}default/`, text('aliases\nemail\nidentity\nscopes\ntoken\n')],
      [`${accounts}${email}/`, text('aliases\nemail\nidentity\nscopes\ntoken\n')],
    ])
  },
}
