/** The services of a stack, with what doctor needs of them. */

import { homedir } from 'node:os'
import { basename, resolve } from 'node:path'
import { inspect } from 'node:util'
import {
  type Attachment,
  asData,
  asList,
  asText,
  type Data,
  type Mount,
  type Port,
  readDependsOn,
  readEnvironment,
  readExtraHosts,
  readLinks,
  readMount,
  readNetworks,
  readPort,
  readWords,
} from './shapes.ts'

/** The host has no address on a network with this option, so its containers have no gateway (docs/wire.md, "Docker's names"). */
const INHIBIT_IPV4 = 'com.docker.network.bridge.inhibit_ipv4'

export interface Service {
  name: string
  image: string
  /** The directory or repository that it is built from; empty where it is not built. */
  context: string
  /** By its name in the context. */
  dockerfile: string
  /** Everything that it is built from, in one text: services with equal texts have the same image. */
  build: string
  entrypoint: string[]
  command: string[]
  environment: Record<string, string>
  /** The variables of proxies that Docker adds where `environment` does not set them. */
  dockerProxies: Record<string, string>
  /** Some of it is in files that were not read: `env_file`, `extends`. */
  isPartial: boolean
  mounts: Mount[]
  ports: Port[]
  networks: Attachment[]
  /** `host`, `none`, `service:NAME`, or empty. */
  networkMode: string
  containerName: string
  /** Name to address. */
  extraHosts: Map<string, string>
  /** The names under which this service alone finds another one, each with that service. */
  links: Map<string, string>
  /** Service to condition. */
  dependsOn: Map<string, string>
  user: string
  workingDirectory: string
  /** Services of different profiles need not run at once. */
  profiles: string[]
  /** It has no container at all. */
  isOff: boolean
}

export interface ComposeProject {
  /** As `docker compose` names it. */
  name: string
  services: Service[]
  /** The fixed subnets of its own networks, by the file's name for the network. */
  subnets: { network: string; subnet: string }[]
  /** Networks without a way out of the host: those with `inhibit_ipv4`, as the link-local one has it. */
  withoutWayOut: string[]
}

export interface ProjectOptions {
  /** Where relative paths begin. */
  directory: string
  env: NodeJS.ProcessEnv
  /** Of every service. */
  dockerProxies: Record<string, string>
}

export function readProject(data: Data, { directory, env, dockerProxies }: ProjectOptions): ComposeProject {
  const files = { ...filesOf(data.configs, '/'), ...filesOf(data.secrets, '/run/secrets/') }
  return {
    // podman-compose prints no name.
    name: asText(data.name) || env.COMPOSE_PROJECT_NAME || normalName(basename(directory)),
    services: Object.entries(asData(data.services)).map(([name, service]) =>
      readService(name, asData(service), { directory, dockerProxies, files }),
    ),
    withoutWayOut: Object.entries(asData(data.networks)).flatMap(([network, more]) =>
      asText(asData(asData(more).driver_opts)[INHIBIT_IPV4]) === 'true' ? [network] : [],
    ),
    subnets: Object.entries(asData(data.networks)).flatMap(([network, more]) =>
      asList(asData(asData(more).ipam).config).map((pool) => ({ network, subnet: asText(asData(pool).subnet) })),
    ),
  }
}

interface Surroundings extends Pick<ProjectOptions, 'directory' | 'dockerProxies'> {
  /** Configs and secrets that are files: mounts under another name. */
  files: Record<string, Mount>
}

function readService(name: string, data: Data, { directory, dockerProxies, files }: Surroundings): Service {
  const granted = [...asList(data.configs), ...asList(data.secrets)].flatMap((grant) => {
    const { source, target } = asData(grant)
    const file = files[asText(source ?? grant)]
    return file === undefined ? [] : [{ ...file, target: asText(target) || file.target }]
  })
  const { build } = data
  return {
    name,
    image: asText(data.image),
    context: asText(build) || asText(asData(build).context),
    dockerfile: asText(asData(build).dockerfile) || 'Dockerfile',
    build: asText(build) || (build === undefined ? '' : inspect(build, { depth: null })),
    entrypoint: readWords(data.entrypoint),
    command: readWords(data.command),
    environment: readEnvironment(data.environment),
    dockerProxies,
    isPartial: data.env_file !== undefined || data.extends !== undefined,
    mounts: [...asList(data.volumes).map(readMount), ...granted].map((mount) => ({
      ...mount,
      source: placeOf(mount.source, directory),
    })),
    ports: asList(data.ports).map(readPort),
    networks: data.network_mode === undefined ? readNetworks(data.networks) : [],
    networkMode: asText(data.network_mode),
    containerName: asText(data.container_name),
    extraHosts: readExtraHosts(data.extra_hosts),
    links: readLinks(data.links),
    dependsOn: readDependsOn(data.depends_on),
    user: asText(data.user),
    workingDirectory: asText(data.working_dir),
    profiles: asList(data.profiles).map(asText),
    isOff: [data.scale, asData(data.deploy).replicas].some((count) => asText(count) === '0'),
  }
}

/** A bind's source as an absolute path; a volume's name stays. */
function placeOf(source: string, directory: string): string {
  if (/^~(\/|$)/.test(source)) return source.replace('~', homedir())
  return /^\.{1,2}(\/|$)/.test(source) ? resolve(directory, source) : source
}

/** Configs and secrets as mounts; one that is not a file (`content`, `external`) has an empty source. */
function filesOf(section: unknown, prefix: string): Record<string, Mount> {
  const entries = Object.entries(asData(section))
  return Object.fromEntries(
    entries.map(([name, more]) => [
      name,
      { source: asText(asData(more).file), target: prefix + name, isReadOnly: true },
    ]),
  )
}

/** The project name that Compose makes from a directory's name. */
function normalName(directory: string): string {
  return directory
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '')
}
