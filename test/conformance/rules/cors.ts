import { FLAVOR, V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

const headers = { 'access-control-allow-origin': undefined, 'access-control-allow-headers': undefined }

export const rule: Rule = {
  title: 'no answer lets the pages of another origin read it',
  source: 'docs/wire.md, "Methods"',
  check: async (server) => {
    const key = `${V1}/project/project-id`
    const Origin = 'http://page.example'
    return server.expectAll([
      [key, { status: 200, headers }, { headers: { ...FLAVOR, Origin } }],
      ['/', { status: 200, headers }, { headers: { Origin } }],
      [
        key,
        { status: 405, headers },
        { method: 'OPTIONS', headers: { Origin, 'Access-Control-Request-Headers': 'metadata-flavor' } },
      ],
    ])
  },
}
