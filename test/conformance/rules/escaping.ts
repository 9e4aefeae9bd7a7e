import { V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

export const rule: Rule = {
  title: 'an error page escapes what it echoes',
  source: 'docs/wire.md, "Errors"',
  check: (server) =>
    server.expectAll([
      [
        `${V1}/project/nothing?x=<script>alert('1')</script>`,
        { status: 404, body: (body) => (body.includes('<script>alert') ? 'has the script of its URL' : undefined) },
      ],
    ]),
}
