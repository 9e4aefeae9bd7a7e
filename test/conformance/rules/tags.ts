import { V1 } from '../../http-client.ts'
import { json, NotHere, parsed, type Rule, text } from '../rule.ts'

export const rule: Rule = {
  title: '`tags` is a JSON list unless text is asked for',
  source: 'docs/wire.md, "Recursion and formats"',
  check: async (server) => {
    const tags = `${V1}/instance/tags`
    if ((await server.ask(tags)).status === 404) throw new NotHere('it has no tags')
    const isList = parsed((value) => (Array.isArray(value) ? undefined : 'is not a list'))
    return server.expectAll([
      [tags, json(isList)],
      [`${tags}?alt=json`, json(isList)],
      [`${tags}?alt=text`, text(/^(?:[^\n]+\n)*$/)],
    ])
  },
}
