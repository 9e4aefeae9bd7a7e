import { V1 } from '../../http-client.ts'
import { notFound, type Rule, text } from '../rule.ts'

export const rule: Rule = {
  title: 'doubled slashes count as one, and keys are case-sensitive',
  source: 'docs/wire.md, "Query parameters"',
  check: async (server) => {
    const projectId = await server.read(`${V1}/project/project-id`)
    return server.expectAll([
      [`${V1}/project//project-id`, text(projectId)],
      [`${V1}//project/project-id`, text(projectId)],
      [`${V1}/project/Project-Id`, notFound(`${V1}/project/Project-Id`)],
      ['/computemetadata/v1/', notFound('/computemetadata/v1/')],
    ])
  },
}
