/** Compares the names in the settings of a stack's sidemint with the stack. */

import type { Settings } from '../../config/settings.ts'
import { isCidr } from '../../core/cidr.ts'
import { hostName } from '../../core/host.ts'
import { suggest } from '../../core/schemas.ts'
import { type Finding, fail } from '../finding.ts'
import { isVerifier } from './pointers.ts'
import { lintPorts } from './ports.ts'
import type { Service } from './project.ts'
import {
  allNamesOf,
  isElsewhere,
  isLoopback,
  isMetadataName,
  isPointed,
  LINK_LOCAL,
  namesOf,
  reachesLinkLocal,
  sharesNetwork,
} from './roles.ts'

export interface Parties {
  /** For the findings. */
  check: string
  /** The metadata servers that read these settings. */
  servers: readonly Service[]
  /** Who has the services' names: gates that read these settings, else the servers. */
  fronts: readonly Service[]
  /** Every sidemint of the stack. */
  sidemints: readonly Service[]
  services: readonly Service[]
}

type Rule = (settings: Settings, parties: Parties) => Finding[]

const RULES: readonly Rule[] = [callers, unpointedCallers, lintPorts, hosts, ports, gateHosts, upstreams, invokers]

export function compare(settings: Settings, parties: Parties): Finding[] {
  return RULES.flatMap((rule) => rule(settings, parties))
}

/** Service and container names. Addresses and ranges cannot be checked from here. */
function callers({ identities }: Settings, { check, services, sidemints }: Parties): Finding[] {
  const apps = services.filter((service) => !sidemints.includes(service))
  const known = apps.flatMap(({ name, containerName }) => [name, containerName]).filter((name) => name !== '')
  return identities.flatMap(({ callers }, index) =>
    callers
      .filter((caller) => !isCidr(caller) && !known.some((name) => isInstance(caller, name)))
      .map((caller) =>
        fail(
          check,
          `identities[${index}].callers names ${caller}, and no service of the stack has that name${suggest(caller, known)}`,
          nameOneOf(known),
        ),
      ),
  )
}

/** A caller that waits for sidemint is meant to ask it. What only verifies tokens asks for none, and some clients ask by Google's name. */
function unpointedCallers({ identities }: Settings, { check, services, servers, sidemints }: Parties): Finding[] {
  const lost = services.filter(
    (service) =>
      !sidemints.includes(service) &&
      !service.isPartial &&
      ['', 'host'].includes(service.networkMode) &&
      servers.some(({ name }) => service.dependsOn.has(name)) &&
      !isPointed(service) &&
      !reachesLinkLocal(service, servers) &&
      !namesOf(servers, service).some(isMetadataName) &&
      !isVerifier(service, servers),
  )
  return identities.flatMap(({ callers }, index) =>
    lost
      .filter(({ name, containerName }) => callers.some((caller) => caller === name || caller === containerName))
      .map(({ name, networkMode }) =>
        fail(
          check,
          `identities[${index}].callers names ${name}, and nothing points its clients at sidemint`,
          networkMode === 'host'
            ? `remove network_mode from ${name}`
            : `put ${name} on the network where sidemint is ${LINK_LOCAL}, or what \`sidemint env --format compose\` prints under its \`environment:\``,
        ),
      ),
  )
}

function nameOneOf(services: readonly string[]): string {
  return services.length > 0 ? `name one of ${services.join(', ')}` : 'add that service to the stack'
}

/** A service is also named by one of its containers: `PROJECT-SERVICE-1`. */
function isInstance(caller: string, name: string): boolean {
  return caller === name || caller.replace(/[-_]\d+$/, '').endsWith(`-${name}`)
}

function hosts({ identities }: Settings, { check, sidemints, services }: Parties): Finding[] {
  const known = [...sidemints.flatMap(allNamesOf), ...services.flatMap(({ extraHosts }) => [...extraHosts.keys()])]
  return identities.flatMap(({ hosts }, index) =>
    hosts
      .filter((host) => !known.includes(hostName(host)) && !isElsewhere(hostName(host)))
      .map((host) =>
        fail(
          check,
          `identities[${index}].hosts names ${host}, and no sidemint has that name on a network`,
          `networks: { default: { aliases: [${hostName(host)}] } }, in the service of sidemint`,
        ),
      ),
  )
}

/**
 * An identity's port is for a service outside of the stack, as in the IDE. Where nothing is published, this host's programs
 * are to get no token, as with real ones (docs/credentials.md).
 */
function ports({ identities }: Settings, { check, servers }: Parties): Finding[] {
  const published = servers.flatMap(({ ports }) => ports.map(({ target }) => target))
  if (published.length === 0 || servers.some(({ networkMode }) => networkMode !== '')) return []
  return identities.flatMap(({ port = 0 }, index) =>
    port === 0 || published.some((target) => isInRange(port, target))
      ? []
      : [
          fail(
            check,
            `identities[${index}].port is ${port}, and ${namesIn(servers)} does not publish it`,
            `ports: ["127.0.0.1:${port}:${port}"]`,
          ),
        ],
  )
}

function isInRange(port: number, target: string): boolean {
  const [first, last = first] = target.split('-').map(Number)
  return first !== undefined && last !== undefined && first <= port && port <= last
}

function gateHosts({ gates, identities }: Settings, { check, fronts, sidemints, services }: Parties): Finding[] {
  const taken = [...gates.map(({ host }) => host), ...identities.flatMap(({ hosts }) => hosts)].map(hostName)
  const free = namesForCallers(fronts, services).filter((name) => !taken.includes(name))
  return gates.flatMap(({ host: written }, index) => {
    const host = hostName(written)
    const apps = services.filter((service) => !sidemints.includes(service) && allNamesOf(service).includes(host))
    if (isElsewhere(host)) return []
    const isHeld = sidemints.some((service) => allNamesOf(service).includes(host))
    // Who calls is not known, so one link is enough: a caller without it reaches the service past the gate.
    const isLinked = services.some(({ links }) => sidemints.some(({ name }) => links.get(host) === name))
    if (isLinked || (isHeld && apps.length === 0)) return []
    const meant = apps.length > 0 ? '' : suggest(host, free)
    const so = apps.length > 0 ? `callers reach ${namesIn(apps)} past the gate` : `callers find no service${meant}`
    const what = isHeld ? `${namesIn(apps)} has that name too` : `no network gives ${namesIn(fronts)} that name`
    return [
      fail(
        check,
        `gates[${index}].host is ${host}, and ${what}, so ${so}`,
        meant !== ''
          ? nameOneOf(free)
          : `networks: { default: { aliases: [${host}] } } in ${namesIn(fronts)}${apps.length > 0 ? `, and another name for ${namesIn(apps)}; or in each of its callers: links: ["${fronts[0]?.name}:${host}"]` : ''}`,
      ),
    ]
  })
}

/** The names, other than their own, by which a service finds one of these. */
function namesForCallers(fronts: readonly Service[], services: readonly Service[]): string[] {
  const aliases = fronts.flatMap(({ networks }) => networks.flatMap((network) => network.aliases))
  const links = services.flatMap((service) => [...service.links])
  const linked = links.filter(([, target]) => fronts.some(({ name }) => name === target)).map(([name]) => name)
  return [...new Set([...linked, ...aliases])].filter((name) => !isMetadataName(name))
}

function upstreams({ gates }: Settings, parties: Parties): Finding[] {
  const { check, fronts, sidemints, services } = parties
  const apps = services.filter((service) => !sidemints.includes(service))
  const reached = apps.filter((app) => fronts.some((front) => sharesNetwork(front, app)))
  return gates.flatMap(({ upstream }, index) => {
    const host = hostName(new URL(upstream).hostname)
    if (isLoopback(host) && fronts.every((front) => isAlone(front, services)))
      return [lintLoopback(index, upstream, parties)]
    if (isElsewhere(host) || reached.some((app) => allNamesOf(app).includes(host))) return []
    const apart = apps.filter((app) => allNamesOf(app).includes(host))
    const known = [...new Set(reached.flatMap(allNamesOf))]
    const why =
      apart.length > 0
        ? `${namesIn(apart)} shares no network with ${namesIn(fronts)}`
        : sidemints.some((service) => allNamesOf(service).includes(host))
          ? "that is sidemint's own name"
          : `no service of the stack has that name${suggest(host, known)}`
    const fix = apart.length > 0 ? 'put both on one network' : nameOneOf(known)
    return [fail(check, `gates[${index}].upstream is ${upstream}, and ${why}`, fix)]
  })
}

/** Whether nothing else is on its loopback: neither the host nor a service that uses its network. */
function isAlone({ name, containerName, networkMode }: Service, services: readonly Service[]): boolean {
  const own = [`service:${name}`, `container:${containerName}`]
  return networkMode === '' && !services.some((service) => own.includes(service.networkMode))
}

function lintLoopback(index: number, upstream: string, { check, fronts }: Parties): Finding {
  const what = `gates[${index}].upstream is ${upstream}, the loopback of ${namesIn(fronts)} itself, where no service answers`
  return fail(check, what, 'name the service; for one on this host write host.docker.internal')
}

/** Checks service accounts only: people and groups come from outside of the stack. */
function invokers({ identities, gates, serviceAccount }: Settings, { check }: Parties): Finding[] {
  if (identities.length === 0) return []
  const known = identities.flatMap((identity) => [identity.serviceAccount, ...identity.accounts])
  const all = serviceAccount === undefined ? known : [...known, serviceAccount]
  return gates.flatMap(({ invoker }, index) =>
    invoker
      .map((member) => member.replace(/^serviceAccount:/, ''))
      .filter((account, at) => account !== invoker[at] && !all.includes(account))
      .map((account) =>
        fail(
          check,
          `gates[${index}].invoker admits ${account}, and no identity is that account${suggest(account, all)}`,
          `name one of ${all.join(', ')}, or give an identity that account`,
        ),
      ),
  )
}

function namesIn(services: readonly Service[]): string {
  return services.map(({ name }) => name).join(' and ')
}
