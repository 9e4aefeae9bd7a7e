import { V1 } from '../../http-client.ts'
import { notFound, type Rule } from '../rule.ts'

const OTHER = `${V1}/instance/service-accounts/nobody@conformance.iam.gserviceaccount.com`

export const rule: Rule = {
  title: "another account's email is a 404 page, for each of its keys",
  source: 'docs/wire.md, "Service accounts"',
  check: async (server) => {
    await server.email()
    return server.expectAll(
      ['/', '/email', '/token', '/identity?audience=https://conformance.example'].map((key) => [
        OTHER + key,
        notFound(OTHER + key),
      ]),
    )
  },
}
