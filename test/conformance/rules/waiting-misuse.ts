import { DEFAULT_ACCOUNT, V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

export const rule: Rule = {
  title:
    'waiting for a directory without `recursive=true`, for `token`, or with a `timeout_sec` that is not a number is a 400',
  source: 'docs/wire.md, "Query parameters"',
  check: async (server) => {
    await server.email()
    return server.expectAll([
      [`${V1}/project/?wait_for_change=true&timeout_sec=1`, { status: 400 }],
      [`${DEFAULT_ACCOUNT}/token?wait_for_change=true&timeout_sec=1`, { status: 400 }],
      [`${V1}/project/project-id?wait_for_change=true&timeout_sec=soon&last_etag=0`, { status: 400 }],
    ])
  },
}
