/** What is looked at in services that verify tokens with Google's own libraries, by sidemint's stand-in. */

import { isIP } from 'node:net'
import { KEY_HOSTS } from '../../core/google.ts'
import { RECEIVER_DIRECTORY, TRUST_VARIABLES } from '../../env/receiver.ts'
import { type Finding, fail, ok, warn } from '../finding.ts'
import type { Mounted } from './mounted.ts'
import type { Service } from './project.ts'
import { lintKeyProxy } from './proxies.ts'
import { lintTrust } from './receiver-trust.ts'
import { isWithin } from './roles.ts'
import type { Attachment } from './shapes.ts'
import { checkOf, FIX, lintStandIn, type StandIn, seenAt, standInOf } from './stand-ins.ts'

/** `mountedOf`: a server's settings file, where it has one. */
export function lintReceivers(
  services: readonly Service[],
  servers: readonly Service[],
  mountedOf: (server: Service) => Pick<Mounted, 'settings'> | undefined,
): Finding[] {
  const standIns = servers.flatMap((server) => standInOf(server, mountedOf(server)?.settings) ?? [])
  const isUnread = (server: Service) => {
    const mounted = mountedOf(server)
    return server.isPartial || (mounted !== undefined && mounted.settings === undefined)
  }
  // A file that was not read may name a stand-in.
  const isKnown = standIns.length > 0 || !servers.some(isUnread)
  const others = services.filter((service) => !servers.includes(service))
  return [
    ...standIns.flatMap(lintStandIn),
    ...servers.filter(namesKeyHosts).map(lintOwnHosts),
    ...(isKnown ? others.flatMap((service) => lintService(service, standIns, servers)) : []),
  ]
}

function lintOwnHosts(server: Service): Finding {
  const what = "extra_hosts sends its own questions to Google's key hosts elsewhere"
  return fail(checkOf(server), what, `leave them to receivers, and remove them from ${server.name}`)
}

function lintService(service: Service, standIns: readonly StandIn[], servers: readonly Service[]): Finding[] {
  const mounted = standIns.find(({ place }) => seenAt(service, place) !== undefined)
  const standIn = mounted ?? (isMeantToVerify(service) ? standIns[0] : undefined)
  if (standIn !== undefined) return lintReceiver(service, standIn)
  if (namesKeyHosts(service)) return [lintStrayHosts(service)]
  return isMeantToVerify(service) && servers.length > 0
    ? [lintNoStandIn(service, servers)]
    : standIns.flatMap((each) => lintBystander(service, each))
}

function lintReceiver(service: Service, standIn: StandIn): Finding[] {
  const rules = [lintWay, lintProxy, lintTrust, lintKeys, lintOrder]
  const found = rules.flatMap((rule) => rule(service, standIn))
  return found.length > 0
    ? found
    : [ok(checkOf(service), `verifies with Google's libraries by the stand-in of ${standIn.server.name}`)]
}

/** Its hosts lead to sidemint, or one of its variables to where a receiver has the directory. */
function isMeantToVerify(service: Service): boolean {
  const { environment } = service
  return namesKeyHosts(service) || TRUST_VARIABLES.some(({ name }) => environment[name]?.includes(RECEIVER_DIRECTORY))
}

function lintStrayHosts(service: Service): Finding {
  const what = "extra_hosts leads Google's key hosts to another address, and no sidemint of the stack has --stand-in"
  const fix = 'SIDEMINT_STAND_IN: /var/lib/sidemint-stand-in in the service of sidemint, or remove them'
  return fail(checkOf(service), what, fix)
}

function lintNoStandIn(service: Service, servers: readonly Service[]): Finding {
  const names = servers.map(({ name }) => name).join(' or ')
  const what = `its variables name the certificate of a stand-in, and ${names} has no --stand-in`
  return fail(checkOf(service), what, `SIDEMINT_STAND_IN: /var/lib/sidemint-stand-in in ${names}`)
}

/** Only a warning: it may be that it never calls Google. */
function lintBystander(service: Service, { server }: StandIn): Finding[] {
  return sharedNetworks(service, server).flatMap(({ network, aliases }) => {
    const names = KEY_HOSTS.filter((host) => aliases.includes(host))
    if (names.length === 0) return []
    const what = `it finds sidemint as ${names.join(', ')} on the network ${network}, and does not trust its certificate`
    return [warn(checkOf(service), what, `take it off ${network}, or if it verifies tokens: ${FIX}`)]
  })
}

/** By extra_hosts, or by a network on which sidemint has the names. */
function lintWay(service: Service, { server }: StandIn): Finding[] {
  const aliases = sharedNetworks(service, server).flatMap((each) => each.aliases)
  const missing = KEY_HOSTS.filter((host) => !service.extraHosts.has(host) && !aliases.includes(host))
  const what = `it finds the real ${missing.join(', ')}, whose keys do not verify tokens of ${server.name}`
  const found = missing.length > 0 ? [fail(checkOf(service), what, describeWay(missing, service, server))] : []
  return [...found, ...lintAddresses(service, server)]
}

/** A proxy knows the real hosts only. */
function lintProxy(service: Service): Finding[] {
  return lintKeyProxy(service, KEY_HOSTS, checkOf(service))
}

/** A name for the host, as host-gateway, may lead back to a published port. */
function lintAddresses(service: Service, server: Service): Finding[] {
  const reached = sharedNetworks(service, server).map(({ address }) => address)
  const misled = KEY_HOSTS.filter((host) => {
    const address = service.extraHosts.get(host) ?? ''
    return isIP(address) !== 0 && !reached.includes(address)
  })
  if (misled.length === 0) return []
  const addresses = [...new Set(misled.map((host) => service.extraHosts.get(host)))].join(', ')
  const what = `extra_hosts leads ${misled.join(', ')} to ${addresses}, which ${server.name} does not have on a network of ${service.name}, so it gets no keys of the stand-in`
  return [fail(checkOf(service), what, describeWay(misled, service, server))]
}

/** What to write, so that the service finds the server under these names. */
function describeWay(hosts: readonly string[], service: Service, server: Service): string {
  const fixed = server.networks.find(({ address }) => address !== '')
  if (fixed === undefined) return `aliases of ${server.name} on a network of both: ${FIX}`
  const lines = `extra_hosts: [${hosts.map((host) => `"${host}:${fixed.address}"`).join(', ')}]`
  const isShared = sharedNetworks(service, server).includes(fixed)
  return isShared ? lines : `${lines}, and the network ${fixed.network} in ${service.name}`
}

/** The server's attachments to networks of the service. */
function sharedNetworks(service: Service, server: Service): Attachment[] {
  const names = service.networks.map(({ network }) => network)
  return server.networks.filter(({ network }) => names.includes(network))
}

function lintKeys(service: Service, { server, keys }: StandIn): Finding[] {
  const mount = service.mounts.find(({ source }) => keys !== undefined && isWithin(keys, source))
  if (mount === undefined) return []
  const what = `it mounts the private keys of ${server.name} at ${mount.target}: a receiver needs the stand-in's directory alone`
  return [fail(checkOf(service), what, `remove ${mount.source}:${mount.target} from ${service.name}`)]
}

function lintOrder(service: Service, { server }: StandIn): Finding[] {
  if (service.dependsOn.get(server.name) === 'service_healthy') return []
  const what = `it may start before ${server.name} has written the certificate`
  return [fail(checkOf(service), what, `depends_on: { ${server.name}: { condition: service_healthy } }`)]
}

function namesKeyHosts({ extraHosts }: Service): boolean {
  return KEY_HOSTS.some((host) => extraHosts.has(host))
}
