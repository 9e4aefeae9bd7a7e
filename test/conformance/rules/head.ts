import { V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

const TARGETS = ['/', `${V1}/`, `${V1}/project/project-id`, `${V1}/project/nothing`]
/** Those that may differ between two answers. */
const NOT_COMPARED = ['date', 'connection', 'keep-alive']

export const rule: Rule = {
  title: 'HEAD has the status and headers of GET, and no body',
  source: 'docs/wire.md, "Methods"',
  check: async (server) => {
    const checks = TARGETS.map(async (target) => {
      const [get, head] = [await server.ask(target), await server.ask(target, { method: 'HEAD' })]
      const names = Object.keys({ ...get.headers, ...head.headers }).filter((name) => !NOT_COMPARED.includes(name))
      const other = names.filter((name) => String(get.headers[name]) !== String(head.headers[name]))
      return [
        ...(head.status === get.status ? [] : [`HEAD ${target}: status ${head.status}, not ${get.status}`]),
        ...other.map((name) => `HEAD ${target}: ${name} differs from that of GET`),
      ]
    })
    return (await Promise.all(checks)).flat()
  },
}
