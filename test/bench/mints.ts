/** What reaches Google: many callers at once for a new audience, and a steady load through refreshes. */

import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import { type Bench, type Row, row } from './bench.ts'
import { withGoogle } from './google.ts'
import { bareAnswers, bareArgv, identityPath, request } from './hits.ts'
import { launch, type Measured, SERVER_CORE } from './processes.ts'
import { alternate } from './rounds.ts'

const CALLERS = 1_000
const ROUNDS = 5
/** What Google takes for an ID token. */
const GOOGLE_MS = 80
/** The clock of the server and of Google in the steady load: a refresh, due after four minutes, comes every 2 s. */
const SPEED = 120
const STEADY_SECONDS = 15
const STEADY_PER_SECOND = 500
const STEADY_ROUNDS = 3
const FAST_CLOCK = new URL('fast-clock.mjs', import.meta.url).pathname

export async function benchStampede({ load, directory, sidemint }: Bench): Promise<Row[]> {
  return withGoogle(directory, async ({ google, env }) => {
    google.fault({ kind: 'delay', ms: GOOGLE_MS })
    const port = await freePort()
    const server = await launch('sidemint', port, sidemint(['--port', String(port)]), {
      core: SERVER_CORE,
      env,
      log: join(directory, 'stampede.log'),
    })
    let next = 0
    const stampede = async (audiences: number, callers: number) => {
      const requests = Array.from({ length: audiences }, () => request(`127.0.0.1:${port}`, identityPath(next++)))
      const before = google.calls.length
      const outcome = await load.drive({ host: server.host, port, requests, count: callers, connections: callers })
      if (Object.keys(outcome.failures).length > 0) throw new Error(JSON.stringify(outcome.failures))
      return { calls: google.calls.length - before, slowestMs: outcome.slowestMs }
    }
    await stampede(1, 1)
    const rows: Row[] = []
    for (const audiences of [1, 10]) {
      const calls: number[] = []
      const figures = await alternate(ROUNDS, {
        sidemint: async () => {
          const many = await stampede(audiences, CALLERS)
          calls.push(many.calls)
          return many.slowestMs
        },
        'one caller': async () => (await stampede(1, 1)).slowestMs,
      })
      const what = `${CALLERS.toLocaleString('en')} callers at once, ${audiences} new ${audiences === 1 ? 'audience' : 'audiences'}`
      rows.push(
        row({
          what: `${what}: calls of Google`,
          unit: 'calls',
          figures: { sidemint: calls },
          ours: 'sidemint',
          budget: audiences,
        }),
        row({
          what: `${what}: the slowest (Google takes ${GOOGLE_MS} ms)`,
          unit: 'ms',
          figures,
          ours: 'sidemint',
          base: 'one caller',
        }),
      )
    }
    await server.stop()
    return rows
  })
}

export async function benchSteady({ load, directory }: Bench): Promise<Row[]> {
  const anchor = Date.now()
  const now = () => anchor + (Date.now() - anchor) * SPEED
  return withGoogle(
    directory,
    async ({ google, env }) => {
      google.fault({ kind: 'delay', ms: GOOGLE_MS })
      const port = await freePort()
      const argv = [process.execPath, FAST_CLOCK, String(port), String(anchor), String(SPEED)]
      const log = join(directory, 'steady.log')
      const ours = await launch('sidemint', port, argv, { core: SERVER_CORE, env, log })
      const barePort = await freePort()
      const bareServer = bareArgv(barePort, bareAnswers(directory, [identityPath(0)]))
      const bare = await launch('bare node:http', barePort, bareServer, { core: SERVER_CORE })
      const drive = (server: Measured, seconds: number) =>
        load.drive({
          host: server.host,
          port: server.port,
          requests: [request(`${server.host}:${server.port}`, identityPath(0))],
          count: seconds * STEADY_PER_SECOND,
          connections: 8,
          perSecond: STEADY_PER_SECOND,
        })
      for (const server of [ours, bare]) await drive(server, 1)
      const before = google.calls.length
      const slowest = async (server: Measured) => {
        // While the other is measured nobody asks this one, and its token gets too old to be served.
        await drive(server, 1 / STEADY_PER_SECOND)
        return (await drive(server, STEADY_SECONDS / STEADY_ROUNDS)).slowestMs
      }
      const figures = await alternate(STEADY_ROUNDS, {
        sidemint: () => slowest(ours),
        'bare node:http': () => slowest(bare),
      })
      const refreshes = google.calls.length - before
      if (refreshes < 3) throw new Error(`only ${refreshes} refreshes in the steady load`)
      await ours.stop()
      await bare.stop()
      const what = `${STEADY_PER_SECOND} requests a second through ${refreshes} refreshes of ${GOOGLE_MS} ms`
      const worst = { sidemint: [Math.max(...figures.sidemint)] }
      return [
        row({ what: `${what}: the slowest`, unit: 'ms', figures, ours: 'sidemint', base: 'bare node:http' }),
        row({ what: `${what}: none waits`, unit: 'ms', figures: worst, ours: 'sidemint', budget: GOOGLE_MS }),
      ]
    },
    { now },
  )
}
