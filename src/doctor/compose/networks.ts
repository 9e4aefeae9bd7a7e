/** The networks of this host's Docker, where there is one: two cannot have the same subnet. */

import { execFile } from 'node:child_process'
import { asData, asList, asText } from './shapes.ts'

const TIMEOUT_MS = 5_000

export interface DockerNetwork {
  name: string
  /** The Compose project that made it; empty for another's. */
  project: string
  subnets: string[]
}

/** Undefined where no Docker answers in time. */
export async function readDockerNetworks(env: NodeJS.ProcessEnv): Promise<DockerNetwork[] | undefined> {
  try {
    const ids = (await docker(['network', 'ls', '--quiet'], env)).split('\n').filter((id) => id !== '')
    const networks = JSON.parse(await docker(['network', 'inspect', ...ids], env)) as unknown[]
    return networks.map((network) => {
      const { Name, Labels, IPAM } = asData(network)
      return {
        name: asText(Name),
        project: asText(asData(Labels)['com.docker.compose.project']),
        subnets: asList(asData(IPAM).Config).map((pool) => asText(asData(pool).Subnet)),
      }
    })
  } catch {
    return undefined
  }
}

function docker(parameters: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('docker', parameters, { env, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    )
  })
}
