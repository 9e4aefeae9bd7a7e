/** The command line as people run it, in a process of its own. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ExecutionContext } from 'ava'
import { COMPILE_CACHE } from './compile-cache.ts'
import { lookThrough } from './leaks.ts'

const CLI = join(import.meta.dirname, '..', 'src', 'cli.ts')

/** No setting of whoever runs the tests reaches them. */
function cleanEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const foreign = Object.keys(process.env).filter((name) => /^(SIDEMINT_|GCE_METADATA_|GOOGLE_|CLOUDSDK_)/.test(name))
  return { ...process.env, ...COMPILE_CACHE, ...Object.fromEntries(foreign.map((name) => [name, undefined])), ...env }
}

export interface Outcome {
  code: number
  stdout: string
  stderr: string
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv
  stdin?: string
}

/** Runs a command to its end. */
export async function runCli(argv: readonly string[], { env = {}, stdin = '' }: RunOptions = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [CLI, ...argv], { env: cleanEnv(env) }, (error, stdout, stderr) => {
      lookThrough('stderr', stderr)
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
    child.stdin?.end(stdin)
  })
}

export type LogRecord = Record<string, unknown>

export interface RunningCommand<B extends LogRecord> {
  child: ChildProcess
  /** The first record of the log. */
  banner: B
  /** The log so far, the banner first. */
  records: readonly LogRecord[]
  /** Waits until the log has so many records of an event. */
  logged(event: string, count: number): Promise<void>
  /** Sends SIGTERM, and answers the exit code and how long it took. */
  stop(): Promise<{ code: number | null; tookMs: number }>
}

/** Starts a command that serves, with a log in JSON, and waits until it does. */
export async function startCli<B extends LogRecord>(
  t: ExecutionContext,
  argv: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<RunningCommand<B>> {
  const child = spawn(process.execPath, [CLI, ...argv, '--log-format=json'], {
    env: cleanEnv(env),
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const records: LogRecord[] = []
  const lines = createInterface({ input: child.stderr })
  const started = new Promise<B>((resolve, reject) => {
    lines.on('line', (line) => {
      lookThrough('stderr', line)
      if (!line.startsWith('{')) return void reject(new Error(line))
      const record = JSON.parse(line)
      records.push(record)
      if (record.event === 'start') resolve(record)
    })
    child.once('exit', (code) => reject(new Error(`it ended with ${code}`)))
  })
  return {
    child,
    banner: await started,
    records,
    async logged(event, count) {
      while (records.filter((record) => record.event === event).length < count) await once(lines, 'line')
    },
    async stop() {
      const sentAt = performance.now()
      child.kill('SIGTERM')
      const [code] = await once(child, 'exit')
      return { code, tookMs: performance.now() - sentAt }
    },
  }
}
