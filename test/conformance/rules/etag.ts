import { V1 } from '../../http-client.ts'
import type { Rule } from '../rule.ts'

export const rule: Rule = {
  title: 'an ETag has 16 hex digits without quotes, is the same for JSON and text, and another for recursive answers',
  source: 'docs/wire.md, "ETag and waiting"',
  check: async (server) => {
    const etagOf = async (query: string) => (await server.ask(`${V1}/project/${query}`)).headers.etag
    const [value, ofText, ofJson, listing, recursive, recursiveText] = await Promise.all(
      [
        'project-id',
        'project-id?alt=text',
        'project-id?alt=json',
        '',
        '?recursive=true',
        '?recursive=true&alt=text',
      ].map(etagOf),
    )
    const named = { value, listing, recursive }
    return [
      ...Object.entries(named).flatMap(([name, etag]) =>
        /^[0-9a-f]{16}$/.test(String(etag)) ? [] : [`a ${name} has the ETag ${etag}`],
      ),
      ...(value === ofText && value === ofJson ? [] : ["a value's ETag differs between alt=text and alt=json"]),
      ...(recursive === recursiveText ? [] : ["a recursive answer's ETag differs between JSON and text"]),
      ...(listing === recursive ? ['a listing and a recursive answer have the same ETag'] : []),
    ]
  },
}
