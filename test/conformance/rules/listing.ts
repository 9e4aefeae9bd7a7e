import { V1 } from '../../http-client.ts'
import { type Rule, text } from '../rule.ts'

const lists = (...children: readonly string[]) =>
  text((body) => {
    if (body !== '' && !body.endsWith('\n')) return 'does not end with a newline'
    const lines = body.split('\n').slice(0, -1)
    const names = lines.map((line) => line.replace(/\/$/, ''))
    if (names.some((name, at) => at > 0 && name < (names[at - 1] ?? ''))) return 'is not in byte order'
    const lacking = children.filter((child) => !lines.includes(child))
    return lacking.length === 0 ? undefined : `lacks ${lacking.join(', ')}`
  })

export const rule: Rule = {
  title: 'a listing has a child a line in byte order, directories with a slash, the last line ended too',
  source: 'docs/wire.md, "Directories"',
  check: (server) =>
    server.expectAll([
      ['/computeMetadata/', text('v1/\nv1beta1/\n')],
      [`${V1}/`, lists('instance/', 'project/')],
      [`${V1}/project/`, lists('numeric-project-id', 'project-id')],
      [`${V1}/instance/`, lists('id', 'service-accounts/', 'zone')],
      [`${V1}/instance/service-accounts/`, lists()],
    ]),
}
