/** Checks a service that asks sidemint for tokens. */

import { VARIABLES_UNREAD_BY } from '../../env/client.ts'
import { hostAndPort } from '../address.ts'
import { type Finding, fail, ok, warn } from '../finding.ts'
import { given, hostOf, isVerifier, known, pointedAt } from './pointers.ts'
import type { Service } from './project.ts'
import { lintProxies } from './proxies.ts'
import { ALIAS, isHost, isLoopback, isMetadataName, LINK_LOCAL, loginsOf, namesOf, reachesLinkLocal } from './roles.ts'

export interface Neighbours {
  servers: readonly Service[]
  services: readonly Service[]
}

type Rule = (service: Service, stack: Neighbours, check: string) => Finding[]

const RULES: readonly Rule[] = [
  logins,
  extraHosts,
  schemes,
  pointers,
  addresses,
  loopback,
  proxies,
  order,
  checks,
  cloudRun,
]

export function lintClient(service: Service, stack: Neighbours): Finding[] {
  const check = `compose:${service.name}`
  const found = RULES.flatMap((rule) => rule(service, stack, check))
  if (found.length > 0) return found
  if (reachesLinkLocal(service, stack.servers)) return [ok(check, `asks sidemint at ${LINK_LOCAL}`)]
  const host = service.environment.GCE_METADATA_HOST
  if (host === undefined) return [ok(check, 'waits for sidemint, and is not pointed at it')]
  return [ok(check, stack.servers.length > 0 ? `asks sidemint at ${host}` : `asks ${host}, which is not in this file`)]
}

/** Whom variables do not help, where some services have nothing else. */
export function describeUnread(clients: readonly Service[], servers: readonly Service[]): string | undefined {
  const names = clients
    .filter((client) => given(client.environment).length > 0 && !reachesLinkLocal(client, servers))
    .map(({ name }) => name)
  if (names.length === 0) return undefined
  return `${names.join(', ')}: pointed at sidemint by variables, which are not read by ${VARIABLES_UNREAD_BY}; for these give sidemint the address ${LINK_LOCAL}`
}

/** Only a warning: a service that has its own login and nothing else for tokens may mean it so. */
export function lintLoggedIn(service: Service): Finding[] {
  return loginsOf(service).map((login) =>
    warn(
      `compose:${service.name}`,
      `${login}, so Google's libraries in it never ask sidemint`,
      `remove it from ${service.name}, if its tokens should come from sidemint`,
    ),
  )
}

function logins(service: Service, _: Neighbours, check: string): Finding[] {
  return loginsOf(service).map((login) =>
    fail(check, `${login}, so Google's libraries in it never ask sidemint`, `remove it from ${service.name}`),
  )
}

function extraHosts(service: Service, { servers }: Neighbours, check: string): Finding[] {
  if (![...service.extraHosts.keys()].some(isMetadataName)) return []
  const what = `extra_hosts names ${ALIAS}, which does not answer for ${ALIAS}. with the final dot that Node.js asks for`
  const fix = `remove it, and give sidemint the name: networks: { default: { aliases: [${ALIAS}] } }`
  const hasAnotherWay = given(service.environment).length > 0 || reachesLinkLocal(service, servers)
  return [hasAnotherWay ? warn(check, what, fix) : fail(check, `${what}; ${service.name} has no other way`, fix)]
}

function schemes({ environment }: Service, _: Neighbours, check: string): Finding[] {
  return known(environment)
    .filter(([, value]) => value.includes('/'))
    .map(([name, value]) =>
      fail(check, `${name} is ${value}: clients add http:// themselves`, `${name}: ${hostAndPort(value)}`),
    )
}

function pointers(service: Service, { servers }: Neighbours, check: string): Finding[] {
  const { environment, networkMode, isPartial } = service
  if (reachesLinkLocal(service, servers) || isPartial) return []
  const names = given(environment).map(([name]) => name)
  if (names.length === 0) return networkMode !== '' ? [] : unpointed(service, servers, check)
  const missing = (name: string) => !names.includes(name)
  const asked = hostAndPort(environment[names[0] ?? ''] ?? ALIAS)
  const value = strangersOf(service, servers).includes(hostOf(asked)) ? (namesOf(servers, service)[0] ?? asked) : asked
  return [
    ...(missing('GCE_METADATA_HOST')
      ? [fail(check, `GCE_METADATA_HOST is missing: Go, Java, Ruby and .NET know only that`, line('HOST'))]
      : []),
    ...(missing('GCE_METADATA_IP')
      ? [fail(check, `GCE_METADATA_IP is missing: Python asks ${LINK_LOCAL} first, and gives up there`, line('IP'))]
      : []),
    ...(missing('GCE_METADATA_ROOT')
      ? [warn(check, 'GCE_METADATA_ROOT is missing: gcloud and C++ know only that', line('ROOT'))]
      : []),
  ]

  function line(which: string): string {
    return `GCE_METADATA_${which}: ${value}`
  }
}

/**
 * Only a warning: it may be that it asks for no token. Where everything is on the default network, what is built here counts
 * as an app, as on the link-local network.
 */
export function lintApart(service: Service, servers: readonly Service[]): Finding[] {
  const way = wayToLinkLocal(service, servers)
  if (way === undefined || service.build === '' || service.networkMode !== '') return []
  const what = `it shares no network with sidemint's ${LINK_LOCAL}, so Google's libraries in it find no sidemint`
  return [warn(`compose:${service.name}`, what, `${way}, if it asks for tokens`)]
}

/** The networks that would lead it to Google's own address; undefined where no sidemint has that. */
function wayToLinkLocal({ name, networks }: Service, servers: readonly Service[]): string | undefined {
  const there = servers.flatMap((server) => server.networks).find(({ address }) => address === LINK_LOCAL)
  if (there === undefined) return undefined
  const names = new Set([...networks.map(({ network }) => network), there.network])
  return `networks: { ${[...names].map((network) => `${network}: {}`).join(', ')} } in ${name}`
}

/** A service may wait for sidemint only because it verifies sidemint's tokens: then its variables name the issuer, or the stand-in's certificate. */
function unpointed(service: Service, servers: readonly Service[], check: string): Finding[] {
  const what = `nothing points its clients at sidemint: without variables they ask ${LINK_LOCAL}`
  const way = wayToLinkLocal(service, servers)
  const fix = way ?? 'put what `sidemint env --format compose` prints under its `environment:`'
  if (service.environment.METADATA_SERVER_DETECTION) return [fail(check, what, fix)]
  return isVerifier(service, servers) ? [] : [warn(check, what, `${fix}, if it asks for tokens`)]
}

function addresses(service: Service, { servers }: Neighbours, check: string): Finding[] {
  const names = namesOf(servers, service)
  const networks = service.networks.map(({ network }) => network).join(', ')
  const way = wayToLinkLocal(service, servers)
  return strangersOf(service, servers).map((host) =>
    fail(
      check,
      `it is pointed at ${host}, and no sidemint has that name on a network of ${service.name} (${networks})`,
      (isMetadataName(host) || host === LINK_LOCAL) && way !== undefined
        ? way
        : names.length > 0
          ? `name one of ${[...new Set(names)].join(', ')}, or give sidemint the alias ${host}`
          : `put ${service.name} and sidemint on one network, with the alias ${host}`,
    ),
  )
}

/** The hosts in the variables that no sidemint has on a network of the service. */
function strangersOf(service: Service, servers: readonly Service[]): string[] {
  if (servers.length === 0 || service.networks.length === 0) return []
  const names = namesOf(servers, service)
  const strangers = pointedAt(service).filter(
    (host) =>
      !names.includes(host) &&
      !isHost(host) &&
      !isLoopback(host) &&
      ![service.extraHosts, service.links].some((own) => own.has(host)),
  )
  return [...new Set(strangers)]
}

/** A container has a loopback of its own, unless it shares the network of the host or of a sidemint. */
function loopback(service: Service, { servers }: Neighbours, check: string): Finding[] {
  const { name, environment, networkMode } = service
  if (networkMode !== '' || servers.some((server) => server.networkMode === `service:${name}`)) return []
  const [there = servers[0]?.name ?? 'host.docker.internal:16925'] = namesOf(servers, service)
  return known(environment)
    .filter(([, value]) => isLoopback(hostOf(value)))
    .map(([variable, value]) =>
      fail(
        check,
        `${variable} is ${value}, the loopback of ${name} itself, where no sidemint answers`,
        `${variable}: ${there}`,
      ),
    )
}

function proxies(service: Service, { servers }: Neighbours, check: string): Finding[] {
  return lintProxies(service, reachesLinkLocal(service, servers) ? [LINK_LOCAL, ALIAS] : pointedAt(service), check)
}

/** It is enough to wait for a service that itself waits for sidemint. */
function order(service: Service, { servers, services }: Neighbours, check: string): Finding[] {
  const isServer = (name: string) => servers.some((server) => server.name === name)
  const seen = new Set<string>()
  const waits = (dependsOn: Service['dependsOn']): boolean =>
    [...dependsOn].some(([name, condition]) => {
      if (isServer(name)) return condition === 'service_healthy'
      if (seen.has(name)) return false
      seen.add(name)
      return waits(services.find((each) => each.name === name)?.dependsOn ?? new Map())
    })
  // One that joined this service's network starts after it.
  const [server] = servers.filter(({ networkMode }) => networkMode !== `service:${service.name}`)
  if (server === undefined || service.isPartial || waits(service.dependsOn)) return []
  return [
    warn(
      check,
      `it may start before ${server.name} answers, and some clients remember that nobody did`,
      `depends_on: { ${server.name}: { condition: service_healthy } }`,
    ),
  ]
}

function checks({ name, environment }: Service, _: Neighbours, check: string): Finding[] {
  if (environment.NO_GCE_CHECK?.toLowerCase() !== 'true') return []
  const what = "NO_GCE_CHECK is set, so Python's and Java's libraries look for no metadata server"
  return [fail(check, what, `remove it from ${name}`)]
}

function cloudRun({ name, environment }: Service, _: Neighbours, check: string): Finding[] {
  if (!environment.K_SERVICE) return []
  return [
    warn(
      check,
      "K_SERVICE is set: Node.js' gcp-metadata then waits without end for a metadata server",
      `remove it from ${name}, if its code can do without`,
    ),
  ]
}
