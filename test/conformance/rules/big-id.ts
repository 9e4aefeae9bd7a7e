import { V1 } from '../../http-client.ts'
import { json, NotHere, type Rule } from '../rule.ts'

export const rule: Rule = {
  title: 'an `instance/id` beyond 2^53 has all its digits in JSON too, as a number',
  source: 'docs/wire.md, "Recursion and formats"',
  check: async (server) => {
    const id = await server.read(`${V1}/instance/id`)
    if (!/^\d+$/.test(id)) throw new NotHere("its instance/id is not a VM's number")
    return server.expectAll([
      [`${V1}/instance/id?alt=json`, json(id)],
      [`${V1}/instance/?recursive=true`, json(new RegExp(`"id":${id}[,}]`))],
    ])
  },
}
