/** The processes that are measured: started on a core of their own, and read from the outside, through /proc. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Order, Outcome } from './load.ts'

/** Servers run on the first, the load on the second. */
export const SERVER_CORE = 0
const LOAD_CORE = 1

const CAN_PIN = spawnSync('taskset', ['-c', String(LOAD_CORE), 'true']).status === 0
const START_TIMEOUT_MS = 20_000
/** What a start, or a load, leaves to be collected is gone by then. */
const SETTLE_MS = 400

export interface Measured {
  name: string
  host: string
  port: number
  /** Undefined for a server on another machine: its CPU and memory are not to be had. */
  pid: number | undefined
}

export interface Running extends Measured {
  pid: number
  stop(): Promise<void>
}

export interface LaunchOptions {
  /** Absent: wherever the scheduler puts it. */
  core?: number
  env?: NodeJS.ProcessEnv
  /** Where stderr goes. */
  log?: string
}

/** Starts it and returns once its port takes connections. */
export async function launch(
  name: string,
  port: number,
  argv: readonly string[],
  { core, env = {}, log }: LaunchOptions = {},
): Promise<Running> {
  const [command = '', ...rest] = core !== undefined && CAN_PIN ? ['taskset', '-c', String(core), ...argv] : argv
  const stderr = log === undefined ? 'ignore' : openSync(log, 'a')
  const child = spawn(command, rest, { env: { ...bareEnv(), ...env }, stdio: ['ignore', 'ignore', stderr] })
  if (typeof stderr === 'number') closeSync(stderr)
  await listening(name, port, child)
  return {
    name,
    host: '127.0.0.1',
    port,
    pid: child.pid as number,
    async stop() {
      if (child.exitCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** Nothing of the developer's own Google set-up gets into a figure. */
export function bareEnv(): NodeJS.ProcessEnv {
  const { PATH, HOME = '/', TMPDIR = '/tmp' } = process.env
  return { PATH, HOME, TMPDIR }
}

async function listening(name: string, port: number, child: ChildProcess): Promise<void> {
  const until = performance.now() + START_TIMEOUT_MS
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode} before it listened`)
    if (await connects(port)) return
    await sleep(1)
  }
  child.kill('SIGKILL')
  throw new Error(`${name} did not listen on ${port} in time`)
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** CPU time of all its threads so far, in µs: nanoseconds by the scheduler, where `stat` counts hundredths. */
export function cpuUs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const ns = threads.map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]))
  return ns.reduce((sum, one) => sum + one, 0) / 1000
}

/** Once what the process did before is collected. */
export async function residentMiB(pid: number): Promise<number> {
  await sleep(SETTLE_MS)
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

/** A server that we did not start, its process found by its port where it runs on this machine. */
export function stranger(url: string): Measured {
  const { hostname, port: written } = new URL(url)
  const port = Number(written || 80)
  return { name: url, host: hostname, port, pid: listener(port) }
}

function listener(port: number): number | undefined {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map((path) => readFileSync(path, 'utf8')).join('\n')
  const inode = new RegExp(`^\\s*\\d+: \\S+:${hex} \\S+ 0A (?:\\S+\\s+){5}(\\d+)`, 'm').exec(tables)?.[1]
  const pids = inode === undefined ? [] : readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.map(Number).find((pid) => holds(pid, `socket:[${inode}]`))
}

function holds(pid: number, what: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === what)
  } catch {
    return false
  }
}

export interface Load {
  drive(order: Order): Promise<Outcome>
  stop(): void
}

/** The load's own process. */
export function startLoad(): Load {
  const argv = [process.execPath, new URL('load.ts', import.meta.url).pathname]
  const [command = '', ...rest] = CAN_PIN ? ['taskset', '-c', String(LOAD_CORE), ...argv] : argv
  const child = spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  return {
    async drive(order) {
      child.send(order)
      const [{ outcome, error }] = (await once(child, 'message')) as [{ outcome?: Outcome; error?: string }]
      if (outcome === undefined) throw new Error(`load on port ${order.port}: ${error}`)
      return outcome
    },
    stop: () => child.kill('SIGKILL'),
  }
}
