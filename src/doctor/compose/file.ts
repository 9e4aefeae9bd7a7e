/** A compose file as data: merge keys, variables, `env_file` and the short forms resolved. */

import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { failure } from '../../core/errors.ts'
import { interpolate } from './interpolate.ts'
import {
  type Attachment,
  asData,
  asList,
  asText,
  type Mount,
  type Port,
  readDependsOn,
  readEnvironment,
  readExtraHosts,
  readMount,
  readNetworks,
  readPort,
  readWords,
} from './shapes.ts'

export interface Service {
  name: string
  image: string
  /** What it is built from, in one string: equal strings are the same image. Empty where it is not built. */
  build: string
  entrypoint: string[]
  command: string[]
  environment: Record<string, string>
  mounts: Mount[]
  ports: Port[]
  networks: Attachment[]
  /** `host`, `none`, `service:NAME`, or empty. */
  networkMode: string
  containerName: string
  extraHosts: string[]
  /** Service to condition. */
  dependsOn: Map<string, string>
  user: string
}

export interface ComposeProject {
  /** As `docker compose` names it. */
  name: string
  services: Service[]
  /** The fixed subnets of its own networks, by the file's name for the network. */
  subnets: { network: string; subnet: string }[]
  /** Keys that take in other files or services, which are not followed here. */
  unresolved: string[]
}

type Variables = Record<string, string | undefined>

/** `path` may be `/dev/stdin`. Throws COMPOSE_FILE_UNUSABLE. */
export async function readComposeFile(path: string, env: Variables): Promise<ComposeProject> {
  const directory = path.startsWith('/dev/') ? process.cwd() : dirname(resolve(path))
  const dotenv = await readFile(join(directory, '.env'), 'utf8').then(parseEnv, () => ({}))
  const variables: Variables = { ...dotenv, ...env }
  const data = asData(interpolate(await parse(path), variables))
  const services = Object.entries(asData(data.services))
  if (services.length === 0) throw failure('COMPOSE_FILE_UNUSABLE', { path, reason: 'it has no `services:`' })
  const files = { ...filesOf(data.configs, '/'), ...filesOf(data.secrets, '/run/secrets/') }
  return {
    name: asText(data.name) || variables.COMPOSE_PROJECT_NAME || normalName(basename(directory)),
    services: await Promise.all(
      services.map(([name, service]) => readService(name, asData(service), { directory, variables, files })),
    ),
    subnets: Object.entries(asData(data.networks)).flatMap(([network, more]) =>
      asList(asData(asData(more).ipam).config).map((pool) => ({ network, subnet: asText(asData(pool).subnet) })),
    ),
    unresolved: [
      ...(data.include === undefined ? [] : ['include']),
      ...services.filter(([, service]) => 'extends' in asData(service)).map(([name]) => `services.${name}.extends`),
    ],
  }
}

async function parse(path: string): Promise<unknown> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    throw failure('COMPOSE_FILE_UNUSABLE', { path, reason: (error as NodeJS.ErrnoException).code ?? 'unknown' })
  }
  const { parseYaml } = await import('../../config/yaml.ts')
  const parsed = parseYaml(text)
  if ('data' in parsed) return parsed.data
  throw failure('COMPOSE_FILE_UNUSABLE', { path, reason: parsed.problems.join('; ') })
}

interface Surroundings {
  directory: string
  variables: Variables
  /** Configs and secrets that are files: mounts under another name. */
  files: Record<string, Mount>
}

async function readService(name: string, data: Record<string, unknown>, around: Surroundings): Promise<Service> {
  const granted = [...asList(data.configs), ...asList(data.secrets)].flatMap((grant) => {
    const { source, target } = asData(grant)
    const file = around.files[asText(source ?? grant)]
    return file === undefined ? [] : [{ ...file, target: asText(target) || file.target }]
  })
  return {
    name,
    image: asText(data.image),
    build: typeof data.build === 'string' ? data.build : data.build === undefined ? '' : JSON.stringify(data.build),
    entrypoint: readWords(data.entrypoint),
    command: readWords(data.command),
    environment: {
      ...(await readEnvFiles(data.env_file, around.directory)),
      ...readEnvironment(data.environment, around.variables),
    },
    mounts: [...asList(data.volumes).map(readMount), ...granted].map(({ source, target }) => ({
      source: source.replace(/^~(?=\/|$)/, homedir()),
      target,
    })),
    ports: asList(data.ports).map(readPort),
    networks: data.network_mode === undefined ? readNetworks(data.networks) : [],
    networkMode: asText(data.network_mode),
    containerName: asText(data.container_name),
    extraHosts: readExtraHosts(data.extra_hosts),
    dependsOn: readDependsOn(data.depends_on),
    user: asText(data.user),
  }
}

/** A file that is not there is Compose's to complain about. */
async function readEnvFiles(value: unknown, directory: string): Promise<Record<string, string>> {
  const paths = asList(value).map((entry) => asText(asData(entry).path ?? entry))
  const texts = await Promise.all(paths.map((path) => readFile(resolve(directory, path), 'utf8').catch(() => '')))
  return Object.assign({}, ...texts.map((text) => parseEnv(text)))
}

function filesOf(section: unknown, prefix: string): Record<string, Mount> {
  const files = Object.entries(asData(section)).map(([name, more]) => [name, asText(asData(more).file)] as const)
  return Object.fromEntries(
    files.filter(([, file]) => file !== '').map(([name, file]) => [name, { source: file, target: prefix + name }]),
  )
}

/** What Compose makes of a directory's name. */
function normalName(directory: string): string {
  return directory
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '')
}
