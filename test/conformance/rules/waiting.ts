import { V1 } from '../../http-client.ts'
import { type Rule, text } from '../rule.ts'

/** Timers may fire a little early; a busy machine is late. */
const [EARLIEST_MS, LATEST_MS] = [1_900, 10_000]

export const rule: Rule = {
  title: '`wait_for_change` holds an unchanged value for `timeout_sec`, then answers it with its ETag',
  source: 'docs/wire.md, "ETag and waiting"',
  check: async (server) => {
    const key = `${V1}/project/project-id`
    const { body, headers } = await server.ask(key)
    const checks = ['', `&last_etag=${headers.etag}`].map(async (query) => {
      const startedAt = performance.now()
      const target = `${key}?wait_for_change=true&timeout_sec=2${query}`
      const found = await server.expect(target, { ...text(body), headers: { etag: headers.etag } })
      const tookMs = performance.now() - startedAt
      const isInTime = tookMs >= EARLIEST_MS && tookMs <= LATEST_MS
      return isInTime ? found : [...found, `GET ${target}: answered after ${(tookMs / 1_000).toFixed(1)} s`]
    })
    return (await Promise.all(checks)).flat()
  },
}
