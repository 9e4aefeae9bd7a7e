/**
 * Which services of a stack are a sidemint, and which ask one for tokens. Compose has no word for either, so both follow
 * from a service's image, build, command, variables and networks.
 */

import { isIP } from 'node:net'
import {
  METADATA_NAME as ALIAS,
  METADATA_ADDRESS as LINK_LOCAL,
  METADATA_VARIABLES as POINTERS,
} from '../../core/google.ts'
import { isPathLike } from '../../core/schemas.ts'
import type { ComposeProject, Service } from './project.ts'

export { ALIAS, LINK_LOCAL, POINTERS }

export interface Roles {
  /** Metadata servers. */
  servers: Service[]
  /** Gates before other services. */
  gates: Service[]
  /** Services that ask one for tokens. */
  clients: Service[]
  /** Services with a Google login of their own and nothing else for tokens. */
  loggedIn: Service[]
  /** All the others, but for sidemints. */
  others: Service[]
}

export function assignRoles({ services }: ComposeProject): Roles {
  const servers = services.filter(
    (service) => standsInForGoogle(service) || (namesSidemint(service) && verbOf(service) === 'serve'),
  )
  const isSidemint = (service: Service) => namesSidemint(service) || isGate(service, servers)
  const others = services.filter((service) => !servers.includes(service) && !isSidemint(service))
  const clients = others.filter(
    (service) =>
      isPointed(service) || waitsFor(service, servers) || (reachesLinkLocal(service, servers) && isApp(service)),
  )
  const loggedIn = others.filter((service) => !clients.includes(service) && hasLogin(service))
  return {
    servers,
    gates: services.filter((each) => !servers.includes(each) && isSidemint(each) && verbOf(each) === 'gate'),
    clients,
    loggedIn,
    others: others.filter((service) => !clients.includes(service) && !loggedIn.includes(service)),
  }
}

/** Whether its image or build is named sidemint, or its command begins with that word. */
function namesSidemint(service: Service): boolean {
  return (isImageNamed(service) && service.entrypoint.length === 0) || hasCommand(service)
}

function isImageNamed({ image, context }: Service): boolean {
  const imageName = image.replace(/@.*$/, '').replace(/:[^/:]*$/, '')
  return [imageName, context].some((name) => /(^|\/)sidemint(\.git)?(#.*)?\/?$/.test(name))
}

function hasCommand({ entrypoint, command }: Service): boolean {
  return wordsAfterSidemint([...entrypoint, ...command]) !== undefined
}

/** Whether it runs our image as that is. What is built here may have other defaults, and a file of its own. */
export function runsOurImage(service: Service): boolean {
  return isImageNamed(service) && service.context === ''
}

/** Whether it runs our command in another image, as with npx. */
export function runsElsewhere(service: Service): boolean {
  return hasCommand(service) && !isImageNamed(service)
}

/** The same image is both the metadata server and the gate, and may have any name. */
function isGate(service: Service, servers: readonly Service[]): boolean {
  const { image, build, entrypoint } = service
  const isSameImage = servers.some(
    (server) => (image !== '' && image === server.image) || (build !== '' && build === server.build),
  )
  return isSameImage && entrypoint.length === 0 && verbOf(service) === 'gate'
}

/** A gate whose one service is named on its command line needs no settings file. */
export function isDescribedByFlags({ entrypoint, command, environment }: Service): boolean {
  return [...entrypoint, ...command].some((word) => /^--upstream(=|$)/.test(word)) || !!environment.SIDEMINT_UPSTREAM
}

function wordsAfterSidemint(words: readonly string[]): string[] | undefined {
  const index = words.findIndex((word) => /(^|\/)sidemint(@[^/]*)?(\/(dist|src)\/cli\.[jt]s)?$/.test(word))
  return index < 0 ? undefined : words.slice(index + 1)
}

/** sidemint's command; `serve` is the default. */
function verbOf({ entrypoint, command }: Service): string {
  const [verb = 'serve'] = wordsAfterSidemint([...entrypoint, ...command]) ?? command
  return verb.startsWith('-') ? 'serve' : verb
}

function standsInForGoogle(service: Service): boolean {
  return (
    service.name === ALIAS ||
    service.containerName === ALIAS ||
    service.networks.some(({ aliases, address }) => address === LINK_LOCAL || aliases.includes(ALIAS))
  )
}

export function isPointed({ environment, extraHosts, links, entrypoint, command }: Service): boolean {
  const words = [...entrypoint, ...command]
  return (
    [...POINTERS, 'METADATA_SERVER_DETECTION'].some((name) => environment[name]) ||
    POINTERS.some((name) => words.some((word) => word.includes(`${name}=`))) ||
    [...extraHosts.keys(), ...links.keys()].some(isMetadataName)
  )
}

function waitsFor({ dependsOn }: Service, servers: readonly Service[]): boolean {
  return servers.some(({ name }) => dependsOn.has(name))
}

/** Everything is on the default network, also databases: there only services that are built here count as apps. */
function isApp({ networks, build }: Service): boolean {
  return build !== '' || networks.some(({ network }) => network !== 'default')
}

export function isMetadataName(host: string): boolean {
  return host.replace(/\.$/, '') === ALIAS
}

/** True where Google's own address leads to a sidemint, so that no variable is needed. */
export function reachesLinkLocal({ networks }: Service, servers: readonly Service[]): boolean {
  const shared = new Set(networks.map(({ network }) => network))
  return servers.some((server) =>
    server.networks.some(({ network, address }) => address === LINK_LOCAL && shared.has(network)),
  )
}

/** Whether a host is outside of the stack as far as the stack says: the host machine, or an address. */
export function isElsewhere(host: string): boolean {
  return isIP(host.replace(/^\[|\]$/g, '')) !== 0 || host === 'localhost' || isHost(host)
}

/** A container's own: nothing else of the stack is there. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127\.[\d.]+|\[?::1\]?)$/.test(host)
}

/** Docker's and Podman's names for the host. */
export function isHost(name: string): boolean {
  return /^host\.(docker|containers)\.internal$/.test(name)
}

/** All names of a service on its networks. */
export function allNamesOf({ name, containerName, networks }: Service): string[] {
  const all = [name, containerName, ...networks.flatMap(({ aliases, address }) => [...aliases, address])]
  return all.filter((each) => each !== '')
}

/** True also where one uses another's network or the host's. */
export function sharesNetwork(one: Service, other: Service): boolean {
  const names = new Set(one.networks.map(({ network }) => network))
  return one.networkMode !== '' || other.networkMode !== '' || other.networks.some(({ network }) => names.has(network))
}

/** The names and addresses by which the service finds a sidemint. */
export function namesOf(servers: readonly Service[], { networks }: Service): string[] {
  const shared = new Set(networks.map(({ network }) => network))
  return servers.flatMap(({ name, containerName, networks: own }) =>
    own
      .filter(({ network }) => shared.has(network))
      .flatMap(({ aliases, address }) => [name, containerName, ...aliases, address].filter((each) => each !== '')),
  )
}

export function hasLogin(service: Service): boolean {
  return loginsOf(service).length > 0
}

/** The logins that Google's libraries find before they ask a metadata server, as sentences (docs/wire.md, "Variables"). */
export function loginsOf({ environment, mounts }: Service): string[] {
  const { GOOGLE_APPLICATION_CREDENTIALS: file, CLOUDSDK_CONFIG: directory } = environment
  const mounted = mounts.filter(
    ({ source, target }) =>
      /\/\.config\/gcloud(\/application_default_credentials\.json)?\/?$/.test(target) ||
      (directory !== undefined && isWithin(directory, target) && /gcloud/.test(source)),
  )
  return [
    ...(file ? [`GOOGLE_APPLICATION_CREDENTIALS is set${isPathLike(file) ? ` to ${file}` : ''}`] : []),
    ...mounted.map(({ source, target }) => `${source || 'a volume'} is mounted at ${target}, a gcloud login`),
  ]
}

export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory.replace(/\/$/, '')}/`)
}
