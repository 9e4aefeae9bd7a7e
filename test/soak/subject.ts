/** What is soaked: the server as it ships, a Google for it, and a service behind its gate. */

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readClaims } from '../../src/core/token.ts'
import { bareEnv } from '../bench/processes.ts'
import { freePort } from '../free-port.ts'
import { type FakeGoogle, startFakeGoogle } from '../google/start.ts'
import { ANN, CREATOR } from '../mint/google/rows.ts'

export const SECRET = 'a secret of the soak'.replaceAll(' ', '-')
export const GATE_AUDIENCE = 'http://billing:8080'
const START_MS = 30_000
const STOP_MS = 10_000
/** So few that they are evicted from the first minute on. */
const CACHE_ENTRIES = 400

const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`

/** Who asks: from which address, under which Host and at which port; whose token it must get. */
export interface Caller {
  address: string
  host: string
  port: number
  /** Whose token it may get now: two of them while a change of the settings is on its way. */
  accounts(): string[]
  /** What the gate answers it. */
  gateStatus: number
}

export interface Reading {
  heapMiB: number
  delayP99Ms: number
  delayMostMs: number
}

export interface Subject {
  google: FakeGoogle
  callers: readonly Caller[]
  port: number
  gatePort: number
  /** Writes the settings file anew: one identity and one value change. */
  rewire(): void
  /** Another login of the same person: every token is minted anew. */
  login(): void
  /** Heap and event loop since the last reading; `collect`: garbage is collected first. */
  read(order: 'collect' | 'look'): Promise<Reading>
  residentMiB(): number
  /** Open descriptors without those of its connections to Google and to the service. */
  descriptors(): Promise<number>
  /** What it wrote to stderr. */
  said(): string
  /** Undefined, or how it ended by itself. */
  ended(): string | undefined
  /** Stops it. Returns its exit code. */
  stop(): Promise<number | null>
}

/** The settings may take two looks, a second apart, on a busy machine. */
const CHANGING_MS = 10_000

export async function startSubject(cli: string): Promise<Subject> {
  const dir = mkdtempSync(join(tmpdir(), 'sidemint-soak-'))
  const google = await startFakeGoogle({ dir })
  const service = createServer((request, response) => {
    void echo(request).then(
      (said) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(said)),
      () => response.destroy(),
    )
  })
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const upstream = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
  const [port, gatePort, idePort, turningPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  for (const name of ['orders', 'billing', 'jobs', 'ide', 'turn-0', 'turn-1', 'everybody']) {
    google.grant(ANN, CREATOR, at(name))
  }

  let turn = 0
  let turnedAtMs = 0
  const config = join(dir, 'sidemint.yaml')
  function write(): void {
    writeFileSync(`${config}.new`, settingsOf({ turn, upstream, idePort, turningPort }))
    renameSync(`${config}.new`, config)
    turnedAtMs = performance.now()
  }
  write()
  const login = () => google.write('login.json', google.userLogin(ANN))
  const child = spawn(
    process.execPath,
    [cli, 'serve', '--config', config, '--log-level', 'warn', '--source', 'google', '--host', '127.0.0.1'].concat([
      '--port',
      `${port}`,
      '--gate-port',
      `${gatePort}`,
      '--cache-entries',
      `${CACHE_ENTRIES}`,
    ]),
    {
      env: {
        ...bareEnv(),
        ...google.env,
        GOOGLE_APPLICATION_CREDENTIALS: login(),
        SIDEMINT_CONTROL_SECRET: SECRET,
        NODE_OPTIONS: `--import=${new URL('probe.mjs', import.meta.url).href}`,
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    },
  )
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => (said += text))
  await listening(port, child, () => said)

  const caller = (name: string, more: Partial<Caller> = {}): Caller => ({
    address: '127.0.0.1',
    host: 'metadata.google.internal',
    port,
    accounts: () => [at(name)],
    gateStatus: 403,
    ...more,
  })
  const turned = () =>
    performance.now() - turnedAtMs < CHANGING_MS ? [at('turn-0'), at('turn-1')] : [at(`turn-${turn % 2}`)]

  return {
    google,
    port,
    gatePort,
    callers: [
      caller('orders', { address: '127.0.0.2', gateStatus: 200 }),
      caller('billing', { address: '127.0.0.3' }),
      caller('jobs', { host: 'jobs.metadata.internal' }),
      caller('ide', { port: idePort, gateStatus: 200 }),
      caller('turn', { port: turningPort, accounts: turned }),
      caller('everybody'),
    ],
    rewire() {
      turn += 1
      write()
    },
    login: () => void login(),
    async read(order) {
      const answered = once(child, 'message')
      child.send(order)
      return (await answered)[0] as Reading
    },
    residentMiB: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024,
    async descriptors() {
      const behind = await new Promise<number>((resolve) => service.getConnections((_, count) => resolve(count)))
      return readdirSync(`/proc/${child.pid}/fd`).length - google.connections.open - behind
    },
    said: () => said,
    ended: () =>
      child.exitCode === null && child.signalCode === null ? undefined : `${child.exitCode ?? child.signalCode}`,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
        child.kill('SIGTERM')
        await once(child, 'exit')
        clearTimeout(late)
      }
      service.closeAllConnections()
      service.close()
      await google.close()
      rmSync(dir, { recursive: true, force: true })
      return child.exitCode
    },
  }
}

interface Wiring {
  turn: number
  upstream: string
  idePort: number
  turningPort: number
}

function settingsOf({ turn, upstream, idePort, turningPort }: Wiring): string {
  return `identities:
  - { serviceAccount: ${at('orders')}, callers: [127.0.0.2/32] }
  - { serviceAccount: ${at('billing')}, callers: [127.0.0.3/32] }
  - { serviceAccount: ${at('jobs')}, hosts: [jobs.metadata.internal] }
  - { serviceAccount: ${at('ide')}, port: ${idePort} }
  - { serviceAccount: ${at(`turn-${turn % 2}`)}, port: ${turningPort} }
  - { serviceAccount: ${at('everybody')} }
metadata: { instance: { attributes: { turn: "${turn}" } } }
gates:
  - host: billing
    upstream: ${upstream}
    audience: [${GATE_AUDIENCE}]
    invoker: [serviceAccount:${at('orders')}, serviceAccount:${at('ide')}]
`
}

/** What the service behind the gate saw. */
export interface Echo {
  email: unknown
  bytes: number
  sha256: string
}

async function echo(request: IncomingMessage): Promise<Echo> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of request) {
    hash.update(chunk)
    bytes += chunk.length
  }
  const [, token = ''] = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '') ?? []
  return { email: readClaims(token)?.email, bytes, sha256: hash.digest('hex') }
}

async function listening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  const until = performance.now() + START_MS
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`the server ended before it listened: ${said()}`)
    const { ok } = await fetch(`http://127.0.0.1:${port}/_sidemint/health`).catch(() => ({ ok: false }))
    if (ok) return
    await sleep(50)
  }
  child.kill('SIGKILL')
  throw new Error(`the server did not listen in time: ${said()}`)
}
