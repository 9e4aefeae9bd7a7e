import { DEFAULT_ACCOUNT } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

export const rule: Rule = {
  title: "gcloud's own audience is a token or a 404: gcloud crashes on anything else",
  source: 'docs/wire.md, "gcloud"',
  check: async (server) => {
    const target = `${DEFAULT_ACCOUNT}/identity?audience=32555940559.apps.googleusercontent.com&format=standard&licenses=FALSE`
    const { status } = await server.ask(target)
    return status === 200 || status === 404 ? [] : [`GET ${target}: status ${status}, not 200 or 404`]
  },
}
