/** `sidemint exec -- CMD`: a server on a free port for as long as a command runs, and the command pointed at it. */

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClientEnv } from '../client-env.ts'
import { failure } from '../errors.ts'
import { startServer } from '../server.ts'
import { type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import type { Io } from './command.ts'
import { loginWarning } from './env.ts'
import { createLoggedEvents } from './lifetime.ts'
import { SERVER_SETTINGS } from './serve.ts'

const SHAPE: CommandShape = {
  usage: 'exec [flags] -- COMMAND',
  summary: 'Runs the command with a metadata server of its own, and ends with its exit code.',
  settings: SERVER_SETTINGS,
  flags: {},
  takes: 'a command',
  defaults: { port: 0, logLevel: 'warn' },
}

/** A shell reports a command that a signal ended as this plus the signal's number. */
const SIGNAL_BASE = 128

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { env, stderr } = io
  const { settings, rest } = await readArguments(SHAPE, { argv, env })
  const [command, ...parameters] = rest
  if (command === undefined) throw misuse('name the command after `--`: sidemint exec -- pytest')
  const { events } = createLoggedEvents(settings, io)
  const server = await startServer({ settings, env, events })
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-'))
  try {
    stderr.write(loginWarning())
    stderr.write(`sidemint: ${server.source.name} tokens as ${server.primary.email} at ${server.url}\n`)
    const pointed = createClientEnv({ url: server.url, emptyDirectory: directory, env })
    return await execute(command, parameters, { ...env, ...pointed })
  } finally {
    await server.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

function execute(command: string, parameters: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...parameters], { env, stdio: 'inherit' })
    const forward = (signal: NodeJS.Signals) => child.kill(signal)
    const signals = ['SIGTERM', 'SIGHUP'] as const
    for (const signal of signals) process.on(signal, forward)
    // A terminal sends Ctrl-C to the whole group: the command gets its own, and decides what it means.
    const ignore = () => {}
    process.on('SIGINT', ignore)
    child.on('error', (error: NodeJS.ErrnoException) => {
      reject(failure('COMMAND_NOT_RUN', { command, reason: error.code ?? error.message }))
    })
    child.on('exit', (code, signal) => {
      for (const name of signals) process.off(name, forward)
      process.off('SIGINT', ignore)
      resolve(code ?? SIGNAL_BASE + (signal === null ? 0 : constants.signals[signal]))
    })
  })
}
