/** Commands as the command line runs them, in this process. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { main } from '../../src/commands/main.ts'
import { COMPILE_CACHE } from '../compile-cache.ts'
import { lookThrough } from '../leaks.ts'

/** Removed after the tests. */
export const scratch = mkdtempSync(join(tmpdir(), 'sidemint-commands-'))
test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

/** The variables of a machine where nobody has logged in and nothing is set. */
export const BARE = { ...COMPILE_CACHE, PATH: process.env.PATH ?? '', HOME: join(scratch, 'home') }

export interface Outcome {
  code: number
  out: string
  err: string
}

export interface Running {
  ended: Promise<Outcome>
  /** Waits until what was said on stderr so far matches, and answers the match. */
  said(what: RegExp): Promise<RegExpExecArray>
  /** What was said on stderr so far. */
  err(): string
  /** As the signal of that name does. */
  stop(signal?: string): void
}

export function start(argv: readonly string[], env: NodeJS.ProcessEnv = {}, stdin = ''): Running {
  let [out, err] = ['', '']
  const { promise: stopped, resolve: stop } = Promise.withResolvers<string>()
  const listeners = new Set<() => void>()
  const ended = main(argv, {
    env: { ...BARE, ...env },
    pointers: {},
    readStdin: async () => stdin,
    stopSignal: () => stopped,
    stdout: { write: (text) => (out += text) },
    stderr: {
      write: (text) => {
        lookThrough('stderr', text)
        err += text
        for (const look of listeners) look()
      },
    },
  }).then((code) => ({ code, out, err }))
  const said = (what: RegExp) => {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
    const look = () => {
      const match = what.exec(err)
      if (match !== null) resolve(match)
    }
    listeners.add(look)
    look()
    void ended.then(() => reject(new Error(`it ended and had said only: ${err}`)))
    return promise.finally(() => listeners.delete(look))
  }
  return { ended, said, err: () => err, stop: (signal = 'SIGTERM') => stop(signal) }
}

/** Runs a command that ends by itself. */
export const run = (argv: readonly string[], env: NodeJS.ProcessEnv = {}, stdin = ''): Promise<Outcome> =>
  start(argv, env, stdin).ended

/** A running `serve` on a free port, and where it is. */
export async function serve(argv: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const running = start(['serve', '--port', '0', ...argv], env)
  const [url] = await running.said(/http:\/\/127\.0\.0\.1:\d+/)
  return { ...running, url }
}

export type LogRecord = Record<string, unknown>

/** A command that serves, with a log in JSON, once it does. */
export async function serving<Banner extends LogRecord>(
  t: ExecutionContext,
  argv: readonly string[],
  env: NodeJS.ProcessEnv = {},
) {
  const running = start([...argv, '--log-format=json'], env)
  t.teardown(async () => {
    running.stop()
    await running.ended
  })
  const records = (): LogRecord[] =>
    [...running.err().matchAll(/^\{.*\}$/gm)].map(([line]) => JSON.parse(line) as LogRecord)
  await running.said(/^\{.*"event":"start".*\}$/m)
  return {
    /** The first record of the log. */
    banner: records().find(({ event }) => event === 'start') as Banner,
    records,
    /** Waits until the log has so many records of an event. */
    async logged(event: string, count: number) {
      await running.said(new RegExp(`(?:"event":"${event}"[^]*?){${count}}`))
    },
    async stop() {
      running.stop()
      return running.ended
    },
  }
}
