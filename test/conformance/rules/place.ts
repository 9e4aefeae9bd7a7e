import { V1 } from '../../http-client.ts'
import { type Rule, text } from '../rule.ts'

export const rule: Rule = {
  title: "`zone`, and `region` where there is one, are paths with the project's number and agree",
  source: 'docs/wire.md, "The Cloud Run tree"',
  check: async (server) => {
    const number = await server.read(`${V1}/project/numeric-project-id`)
    const { status, body } = await server.ask(`${V1}/instance/region`)
    const region = status === 200 ? (body.split('/').at(-1) ?? '') : '[a-z]+-[a-z]+\\d+'
    return server.expectAll([
      [`${V1}/instance/zone`, text(new RegExp(`^projects/${number}/zones/${region}-[a-z0-9]+$`))],
      ...(status === 200 ? [[`${V1}/instance/region`, text(`projects/${number}/regions/${region}`)] as const] : []),
    ])
  },
}
