/** The stack's part of `sidemint doctor`: checks each sidemint of the stack and each service that asks one. */

import { basename, dirname, join } from 'node:path'
import { createRange, isCidr } from '../../core/cidr.ts'
import { asFailure } from '../../core/errors.ts'
import { type Finding, fail, failed, ok, warn } from '../finding.ts'
import { compare } from './agreement.ts'
import { describeUnread, lintApart, lintClient, lintLoggedIn } from './client.ts'
import { lintCollisions } from './collisions.ts'
import { type Mounted, readMounted } from './mounted.ts'
import { readDockerNetworks } from './networks.ts'
import { type ComposeProject, readProject, type Service } from './project.ts'
import { readDockerProxies } from './proxies.ts'
import { lintReceivers } from './receivers.ts'
import { ALIAS, assignRoles, isDescribedByFlags, LINK_LOCAL, type Roles } from './roles.ts'
import { lintServer, lintVariables } from './server.ts'
import { CHECK, readStack, type StackSources } from './stack.ts'

export async function checkCompose(sources: StackSources): Promise<Finding[]> {
  try {
    const stack = await readStack(sources)
    if (stack === undefined) return [NO_STACK]
    const { env } = sources
    const project = readProject(stack.data, {
      directory: stack.directory,
      env,
      dockerProxies: await readDockerProxies(env),
    })
    const roles = assignRoles(project)
    const read = await Promise.all(
      [...roles.servers, ...roles.gates].map(
        async (service) =>
          [service, await readMounted(service, foldersOf(service, roles, stack.directory), env)] as const,
      ),
    )
    return [
      ...stack.findings,
      ...lint(project, roles, new Map(read)),
      ...lintSettings(project, roles, read),
      ...(await lintSubnet(project, env)),
    ]
  } catch (error) {
    return [failed(CHECK, asFailure(error))]
  }
}

/** A gate that flags describe needs no file, and may leave that of its neighbour alone. */
function foldersOf(service: Service, { servers }: Roles, directory: string): string[] {
  return servers.includes(service) ? [directory, join(directory, 'sidemint')] : [directory]
}

const NO_STACK = ok(
  CHECK,
  'no compose file is here, so no stack is looked at; name one with --compose FILE, or pipe what `docker compose config` prints to --compose -',
)

type Read = readonly [Service, Mounted | undefined]

function lint(
  project: ComposeProject,
  { servers, gates, clients, loggedIn, others }: Roles,
  mounted: ReadonlyMap<Service, Mounted | undefined>,
): Finding[] {
  const unread = describeUnread(clients, servers)
  const stack = { servers, services: project.services }
  return [
    ...(servers.length === 0
      ? [
          warn(
            CHECK,
            `no service is a sidemint: none has an image, build or command of that name, the alias ${ALIAS} or the address ${LINK_LOCAL}`,
            'give the service that is one such an image name or alias',
          ),
        ]
      : clients.length === 0
        ? [
            warn(
              CHECK,
              'no service asks sidemint for tokens: none is pointed at it, waits for it or shares its link-local network',
              'put what `sidemint env --format compose` prints under the `environment:` of those that should',
            ),
          ]
        : []),
    ...lintCollisions(project, [...servers, ...gates]),
    ...[...servers, ...gates].flatMap((service) => lintVariables(service, mounted.get(service)?.settings)),
    ...servers.flatMap((server) => lintServer(server, project, mounted.get(server)?.settings)),
    ...clients.flatMap((client) => lintClient(client, stack)),
    ...(unread === undefined ? [] : [ok('clients', unread)]),
    ...loggedIn.flatMap(lintLoggedIn),
    ...others.flatMap((service) => lintApart(service, servers)),
    ...lintReceivers(project.services, servers, (server) => mounted.get(server)),
  ]
}

/** Each settings file once, however many services read it. */
function lintSettings({ services }: ComposeProject, { servers, gates }: Roles, read: readonly Read[]): Finding[] {
  const byPath = [...Map.groupBy(read, ([, mounted]) => mounted?.path)]
  return byPath.flatMap(([path, group]) => {
    if (path === undefined)
      return lintForgetful(
        group.map(([service]) => service).filter((service) => gates.includes(service)),
        byPath,
      )
    // What another one reads is not forgotten.
    const readings = group.filter(([, mounted]) => mounted?.settings !== undefined)
    const settings = readings[0]?.[1]?.settings
    if (settings === undefined) return group[0]?.[1]?.findings ?? []
    const readers = readings.map(([service]) => service)
    const own = readers.filter((reader) => servers.includes(reader))
    const found = compare(settings, {
      check: basename(path),
      servers: own,
      fronts: own.length < readers.length ? readers.filter((reader) => !own.includes(reader)) : own,
      sidemints: [...servers, ...gates],
      services,
    })
    return found.length > 0 ? found : [ok(basename(path), `what ${path} names is in the stack`)]
  })
}

/** Settings that another sidemint of the stack reads are meant for a gate too, unless flags describe it. */
function lintForgetful(gates: readonly Service[], byPath: readonly [string | undefined, unknown][]): Finding[] {
  const path = byPath.map(([each]) => each).find((each) => each !== undefined)
  if (path === undefined) return []
  return gates
    .filter((gate) => gate.mounts.length === 0 && !isDescribedByFlags(gate))
    .map(({ name }) =>
      fail(
        basename(path),
        `${name} does not mount ${dirname(path)}, where the stack's settings are`,
        `volumes: ["${dirname(path)}:/etc/sidemint:ro"] in ${name}`,
      ),
    )
}

/** Only a network that exists on this host can conflict; a stack that is down has none. */
async function lintSubnet(project: ComposeProject, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  if (!project.subnets.some(({ subnet }) => holdsLinkLocal(subnet))) return []
  const networks = await readDockerNetworks(env)
  if (networks === undefined) {
    return [ok(CHECK, `it holds ${LINK_LOCAL}; no Docker answered here that would know of another stack that does`)]
  }
  const rivals = networks.filter(
    ({ project: owner, subnets }) => owner !== project.name && subnets.some(holdsLinkLocal),
  )
  if (rivals.length === 0) return [ok(CHECK, `no other network of this host holds ${LINK_LOCAL}`)]
  return rivals.map(({ name, project: owner }) =>
    fail(
      CHECK,
      `the network ${name} holds ${LINK_LOCAL} already, and a host can have that subnet only once`,
      owner === '' ? `docker network rm ${name}` : `docker compose --project-name ${owner} down`,
    ),
  )
}

function holdsLinkLocal(subnet: string): boolean {
  return isCidr(subnet) && createRange([subnet])(LINK_LOCAL)
}
