import { V1 } from '../../http-client.ts'
import { json, type Rule, text } from '../rule.ts'

export const rule: Rule = {
  title: '`alt=json` quotes a text and not a number; `alt=text` of a recursive answer is one line a value',
  source: 'docs/wire.md, "Recursion and formats"',
  check: async (server) => {
    const [projectId, number] = await Promise.all(
      ['project-id', 'numeric-project-id'].map((key) => server.read(`${V1}/project/${key}`)),
    )
    return server.expectAll([
      [`${V1}/project/project-id?alt=json`, json(`"${projectId}"`)],
      [`${V1}/project/project-id?alt=text`, text(projectId)],
      [`${V1}/project/numeric-project-id?alt=json`, json(number)],
      [`${V1}/project/?recursive=true&alt=json`, json(/^\{.*\}$/)],
      [
        `${V1}/project/?recursive=true&alt=text`,
        text(new RegExp(`^numeric-project-id ${number}\nproject-id ${projectId}\n$`, 'm')),
      ],
    ])
  },
}
