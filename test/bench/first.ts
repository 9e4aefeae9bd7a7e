/** Who asks first: the first token after a start, and many new audiences at once. */

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.ts'
import { type Bench, type Row, row } from './bench.ts'
import { type WithGoogle, withGoogle } from './google.ts'
import { identityPath, request } from './hits.ts'
import { launch, SERVER_CORE } from './processes.ts'

const ROUNDS = 9
/** What Google takes for a token. */
const GOOGLE_MS = 80
/** What a server has after its start before anybody asks. */
const IDLE_MS = 1_000
const AUDIENCES = 250
const BURSTS = 3
const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const ANN = 'ann@acme.example'

/** A server with Google's credentials, and what asks it for new audiences. */
async function launchWithGoogle({ load, directory, sidemint }: Bench, env: NodeJS.ProcessEnv, flags: string[] = []) {
  const port = await freePort()
  const log = join(directory, 'first.log')
  const server = await launch('sidemint', port, sidemint(['--port', String(port), ...flags]), {
    core: SERVER_CORE,
    env,
    log,
  })
  let next = 0
  return {
    stop: server.stop,
    async slowestOf(audiences: number): Promise<number> {
      const requests = Array.from({ length: audiences }, () => request(`127.0.0.1:${port}`, identityPath(next++)))
      const { host } = server
      const outcome = await load.drive({ host, port, requests, count: audiences, connections: audiences })
      if (Object.keys(outcome.failures).length > 0) throw new Error(JSON.stringify(outcome.failures))
      return outcome.slowestMs
    },
  }
}

export async function benchFirst(bench: Bench): Promise<Row[]> {
  return withGoogle(bench.directory, async ({ google, env }: WithGoogle) => {
    google.grant(ANN, 'roles/iam.serviceAccountOpenIdTokenCreator', ORDERS)
    google.fault({ kind: 'delay', ms: GOOGLE_MS })
    const login = { ...env, GOOGLE_APPLICATION_CREDENTIALS: google.write('login.json', google.userLogin(ANN)) }
    const beside = async (variables: NodeJS.ProcessEnv, flags: string[]) => {
      const figures: number[] = []
      for (let round = 0; round < ROUNDS; round += 1) {
        const server = await launchWithGoogle(bench, variables, flags)
        await sleep(IDLE_MS)
        figures.push((await server.slowestOf(1)) - GOOGLE_MS)
        await server.stop()
      }
      return figures
    }
    const line = async (what: string, variables: NodeJS.ProcessEnv, flags: string[]) =>
      row({
        what: `first token after the start's idle second, ${what}: beside Google's ${GOOGLE_MS} ms`,
        unit: 'ms',
        figures: { sidemint: await beside(variables, flags) },
        ours: 'sidemint',
        budget: 30,
      })
    return [
      await line("a service account's key", env, []),
      await line('a login that impersonates', login, ['--impersonate-service-account', ORDERS]),
    ]
  })
}

export async function benchBurst(bench: Bench): Promise<Row[]> {
  return withGoogle(bench.directory, async ({ google, env }) => {
    google.fault({ kind: 'delay', ms: GOOGLE_MS })
    const server = await launchWithGoogle(bench, env)
    await server.slowestOf(1)
    const slowest: number[] = []
    for (let burst = 0; burst < BURSTS; burst += 1) slowest.push(await server.slowestOf(AUDIENCES))
    await server.stop()
    const what = `${AUDIENCES} new audiences at once, through a proxy`
    const most = { sidemint: [google.connections.most] }
    return [
      row({ what: `${what}: connections`, unit: 'connections', figures: most, ours: 'sidemint', budget: 16 }),
      row({
        what: `${what}: the slowest (Google takes ${GOOGLE_MS} ms)`,
        unit: 'ms',
        figures: { sidemint: slowest },
        ours: 'sidemint',
        budget: 3_000,
      }),
    ]
  })
}
