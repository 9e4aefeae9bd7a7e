import { V1 } from '../../http-client.ts'
import { json, parsed, type Row, type Rule, text } from '../rule.ts'

export const rule: Rule = {
  title: '`recursive=true` is compact JSON with camelCase names and numbers as numbers; on a value it changes nothing',
  source: 'docs/wire.md, "Recursion and formats"',
  check: async (server) => {
    const [projectId, number] = await Promise.all(
      ['project-id', 'numeric-project-id'].map((key) => server.read(`${V1}/project/${key}`)),
    )
    const isProject = (project: Record<string, unknown>) =>
      project.projectId === projectId && project.numericProjectId === Number(number) ? undefined : 'is not the project'
    const isRoot = ({ project, instance }: Record<string, unknown>) =>
      instance === undefined ? 'lacks instance' : isProject(project as Record<string, unknown>)
    return server.expectAll([
      ...['true', 'True', 'on', 'YES', '1'].map(
        (value): Row => [`${V1}/project/?recursive=${value}`, json(parsed(isProject))],
      ),
      ...['xyz', 'false', ''].map((value): Row => [`${V1}/project/?recursive=${value}`, text(/\nproject-id\n$/)]),
      [`${V1}/?recursive=true`, json(parsed(isRoot))],
      [`${V1}/project/project-id?recursive=true`, text(projectId)],
    ])
  },
}
