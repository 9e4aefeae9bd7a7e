/** A cached answer under a client that sleeps while it waits: CPU a request, requests a second, and the slowest in a hundred. */

import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import { type Bench, type Row, row } from './bench.ts'
import { identityPath, launchAlike, REQUESTS, ROUNDS, request, TOKEN, WARM } from './hits.ts'
import { cpuUs, launch, type Running, SERVER_CORE } from './processes.ts'
import { alternate } from './rounds.ts'

const CONNECTIONS = 16

export async function benchAsleep(bench: Bench): Promise<Row[]> {
  const { directory, sidemint } = bench
  const port = await freePort()
  const ours = await launch('sidemint', port, sidemint(['--port', String(port), '--source', 'local']), {
    core: SERVER_CORE,
    log: join(directory, 'asleep.log'),
  })
  const rows = [
    ...(await measure(bench, ours, 'identity, cached', identityPath(0))),
    ...(await measure(bench, ours, 'token, cached', TOKEN)),
  ]
  await ours.stop()
  return rows
}

async function measure({ load, directory }: Bench, ours: Running, what: string, path: string): Promise<Row[]> {
  const [bare, koa] = await launchAlike(directory, ours, [path])
  const perSecond: Record<string, number[]> = { [ours.name]: [], [bare.name]: [] }
  const p99Ms: Record<string, number[]> = { [ours.name]: [], [bare.name]: [] }

  async function drive({ name, host, port }: Running, count: number) {
    const requests = [request(`${host}:${port}`, path)]
    const outcome = await load.drive({ host, port, requests, count, connections: CONNECTIONS, sleeps: true })
    if (Object.keys(outcome.failures).length > 0) throw new Error(`${name}: ${JSON.stringify(outcome.failures)}`)
    return outcome
  }

  async function costUs(server: Running): Promise<number> {
    const before = cpuUs(server.pid)
    const outcome = await drive(server, REQUESTS)
    perSecond[server.name]?.push(REQUESTS / outcome.seconds)
    p99Ms[server.name]?.push(outcome.p99Ms)
    return (cpuUs(server.pid) - before) / REQUESTS
  }

  for (const server of [ours, bare]) await drive(server, WARM)
  const figures = await alternate(ROUNDS, { [ours.name]: () => costUs(ours), [bare.name]: () => costUs(bare) })
  await Promise.all([bare.stop(), koa.stop()])
  const line = (unit: string, figures: Record<string, readonly number[]>, note: string, budget?: number) =>
    row({ what: `${what}, the load sleeps${note}`, unit, figures, ours: ours.name, base: bare.name, budget })
  return [
    line('µs CPU a request', figures, '', 1.25),
    line('requests a second', perSecond, ': requests a second'),
    line('ms', p99Ms, ': the slowest in a hundred'),
  ]
}
