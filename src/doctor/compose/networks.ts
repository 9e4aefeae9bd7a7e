/** The networks of this host's Docker, of which no two can have the same subnet. */

import { parseJson } from '../../core/json.ts'
import { type ProgramOptions, runProgram } from '../program.ts'
import { asData, asList, asText } from './shapes.ts'

const TIMEOUT_MS = 5_000

export interface DockerNetwork {
  name: string
  /** The Compose project that made it; empty where another program did. */
  project: string
  subnets: string[]
}

/** Undefined where no Docker answers in time. */
export async function readDockerNetworks(env: NodeJS.ProcessEnv): Promise<DockerNetwork[] | undefined> {
  const options = { env, timeoutMs: TIMEOUT_MS }
  const ids = await docker(['network', 'ls', '--quiet'], options)
  if (ids === undefined) return undefined
  const described = await docker(['network', 'inspect', ...ids.split('\n').filter((id) => id !== '')], options)
  const networks = parseJson(described ?? '')
  return networks === undefined ? undefined : asList(networks).map(readNetwork)
}

function readNetwork(network: unknown): DockerNetwork {
  const { Name, Labels, IPAM } = asData(network)
  return {
    name: asText(Name),
    project: asText(asData(Labels)['com.docker.compose.project']),
    subnets: asList(asData(IPAM).Config).map((pool) => asText(asData(pool).Subnet)),
  }
}

async function docker(words: readonly string[], options: ProgramOptions): Promise<string | undefined> {
  const outcome = await runProgram('docker', words, options)
  return outcome.kind === 'done' ? outcome.stdout : undefined
}
