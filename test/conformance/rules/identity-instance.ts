import { V1 } from '../../http-client.ts'
import { claimsOf, type Part } from '../jwt.ts'
import { NotHere, type Rule } from '../rule.ts'

export const rule: Rule = {
  title: "a VM's full token says which instance it is of, with licenses where they are asked for; other tokens do not",
  source: 'https://cloud.google.com/compute/docs/instances/verifying-instance-identity',
  check: async (server) => {
    await server.email()
    const isVm = (await server.ask(`${V1}/instance/cpu-platform`)).status === 200
    if (!isVm) throw new NotHere('it looks like Cloud Run')
    const keys = ['project/project-id', 'project/numeric-project-id', 'instance/id', 'instance/name', 'instance/zone']
    const [project, number, id, name, zone] = await Promise.all(keys.map((key) => server.read(`${V1}/${key}`)))
    const instance = async (query: string) =>
      ((await claimsOf(server, `audience=https://conformance.example/vm${query}`)).google as Part | undefined)
        ?.compute_engine as Part | undefined
    const [standard, full, licensed] = await Promise.all(
      ['', '&format=full', '&format=full&licenses=TRUE'].map(instance),
    )
    const wanted = {
      project_id: project,
      project_number: Number(number),
      instance_id: id,
      instance_name: name,
      zone: zone?.split('/').at(-1),
    }
    const wrong = Object.entries(wanted).flatMap(([key, value]) => (full?.[key] === value ? [] : [key]))
    return [
      ...(standard === undefined ? [] : ['a standard token has google.compute_engine']),
      ...(wrong.length === 0
        ? []
        : [`google.compute_engine of a full token does not agree with the tree: ${wrong.join(', ')}`]),
      ...(full?.license_id === undefined ? [] : ['a token has licenses that were not asked for']),
      ...(Array.isArray(licensed?.license_id) ? [] : ['a token has no licenses with licenses=TRUE']),
    ]
  },
}
