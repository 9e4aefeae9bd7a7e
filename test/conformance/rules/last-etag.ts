import { V1 } from '../../http-client.ts'
import { json, type Rule, text } from '../rule.ts'

const AT_ONCE_MS = 8_000

export const rule: Rule = {
  title: "a `last_etag` that is not the value's own answers at once, however long the time is",
  source: 'docs/wire.md, "ETag and waiting"',
  check: async (server) => {
    const projectId = await server.read(`${V1}/project/project-id`)
    const startedAt = performance.now()
    const found = await server.expectAll([
      [`${V1}/project/project-id?wait_for_change=true&timeout_sec=10&last_etag=0`, text(projectId)],
      [`${V1}/project/project-id?wait_for_change=true&timeout_sec=10&last_etag=NONE`, text(projectId)],
      [`${V1}/?recursive=true&alt=json&wait_for_change=true&timeout_sec=10&last_etag=NONE`, json(/^\{/)],
    ])
    return performance.now() - startedAt < AT_ONCE_MS ? found : [...found, 'a last_etag of 0 or NONE was held']
  },
}
