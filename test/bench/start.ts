/** From the start of a process to its first answer, and the memory that it holds. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.ts'
import { type Bench, type Row, row } from './bench.ts'
import { withGoogle } from './google.ts'
import { bareAnswers, bareArgv, identityPath, request } from './hits.ts'
import { bareEnv, launch, residentMiB, SERVER_CORE } from './processes.ts'
import { alternate } from './rounds.ts'

const START_ROUNDS = 21
const MEMORY_ROUNDS = 3
const HITS = 300_000
const GIVE_UP_MS = 20_000

export async function benchStart({ sidemint, directory }: Bench): Promise<Row[]> {
  const path = identityPath(0)
  const answers = bareAnswers(directory, [path])
  const local = (port: number) => sidemint(['--port', String(port), '--source', 'local'])
  // The compile cache is written as a process ends, so one has to end well first.
  await untilFirstAnswer(local, path)
  const figures = await alternate(START_ROUNDS, {
    sidemint: () => untilFirstAnswer(local, path),
    'bare node:http': () => untilFirstAnswer((port) => bareArgv(port, answers), path),
  })
  return [
    row({
      what: 'start of the process → first locally signed ID token',
      unit: 'ms',
      figures,
      ours: 'sidemint',
      base: 'bare node:http',
      budget: 2,
    }),
  ]
}

export async function benchMemory(bench: Bench): Promise<Row[]> {
  const { directory } = bench
  const path = identityPath(0)
  const answers = bareAnswers(directory, [path])
  return withGoogle(directory, async ({ env }) => {
    const ours = (port: number) => bench.sidemint(['--port', String(port), '--source', 'local'])
    const fromGoogle = (port: number) => bench.sidemint(['--port', String(port)])
    const bareServer = (port: number) => bareArgv(port, answers)
    const bare: Stages[] = []
    const local: Stages[] = []
    const google: Stages[] = []
    for (let round = 0; round < MEMORY_ROUNDS; round += 1) {
      // So many hits take a while, and end at the same memory each time.
      const hits = round === 0 ? HITS : 0
      bare.push(await stages(bench, 'bare node:http', bareServer, { hits }))
      local.push(await stages(bench, 'sidemint', ours, { hits }))
      google.push(await stages(bench, 'sidemint', fromGoogle, { env }))
    }
    const line = (what: string, ours: readonly number[], base: readonly number[], budget?: number) =>
      row({
        what: `resident memory, ${what}`,
        unit: 'MiB',
        figures: { sidemint: ours, 'bare node:http': base },
        ours: 'sidemint',
        base: 'bare node:http',
        budget,
      })
    const of = (list: readonly Stages[], stage: keyof Stages) => list.flatMap((one) => one[stage] ?? [])
    return [
      line('idle', of(local, 'idle'), of(bare, 'idle')),
      line('idle after the first mint, local source', of(local, 'minted'), of(bare, 'minted'), 1.2),
      line('idle after the first mint, google-auth-library loaded', of(google, 'minted'), of(bare, 'minted'), 1.3),
      line(`after ${HITS.toLocaleString('en')} hits`, of(local, 'loaded'), of(bare, 'loaded'), 1.4),
    ]
  })
}

interface Stages {
  idle: number
  minted: number
  /** After the hits, where there were some. */
  loaded?: number
}

async function stages(
  { load, directory }: Bench,
  name: string,
  argv: (port: number) => string[],
  { env = {}, hits = 0 }: { env?: NodeJS.ProcessEnv; hits?: number },
): Promise<Stages> {
  const port = await freePort()
  const server = await launch(name, port, argv(port), { core: SERVER_CORE, env, log: join(directory, 'memory.log') })
  const ask = (count: number, connections: number) =>
    load.drive({
      host: server.host,
      port,
      requests: [request(`${server.host}:${port}`, identityPath(0))],
      count,
      connections,
    })
  const idle = await residentMiB(server.pid)
  const { failures } = await ask(1, 1)
  if (Object.keys(failures).length > 0) throw new Error(`${name}: the first mint failed: ${JSON.stringify(failures)}`)
  const minted = await residentMiB(server.pid)
  if (hits > 0) await ask(hits, 32)
  const loaded = hits > 0 ? { loaded: await residentMiB(server.pid) } : {}
  await server.stop()
  return { idle, minted, ...loaded }
}

/** Milliseconds; not pinned, since a process begins on more than one thread. */
async function untilFirstAnswer(argv: (port: number) => string[], path: string): Promise<number> {
  const port = await freePort()
  const [command = '', ...rest] = argv(port)
  const startedAt = performance.now()
  const child = spawn(command, rest, { env: bareEnv(), stdio: 'ignore' })
  try {
    while (!(await answers200(port, request(`127.0.0.1:${port}`, path)))) {
      if (performance.now() - startedAt > GIVE_UP_MS) throw new Error(`no answer from ${command} ${rest.join(' ')}`)
      await sleep(1)
    }
    return performance.now() - startedAt
  } finally {
    child.kill('SIGTERM')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

function answers200(port: number, bytes: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.write(bytes))
    socket.on('data', (chunk: Buffer) => {
      socket.destroy()
      resolve(chunk.toString('latin1', 9, 12) === '200')
    })
  })
}
