/** `sidemint exec -- CMD`: a server on a free port for as long as a command runs, and the command pointed at it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClientEnv } from '../env/client.ts'
import { identityLabel } from '../identity/identity.ts'
import { startServer } from '../server.ts'
import { type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import type { Io } from './command.ts'
import { loginWarning } from './env.ts'
import { execute } from './execute.ts'
import { createLoggedEvents } from './lifetime.ts'

const SHAPE: CommandShape = {
  name: 'exec',
  usage: 'exec [flags] -- COMMAND',
  summary: 'Runs the command with a metadata server of its own, and ends with its exit code.',
  flags: {},
  takes: 'a command',
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { env, stderr } = io
  const { settings: chosen, given, rest } = await readArguments(SHAPE, { argv, env })
  // A port in the file or in a variable is the one of `serve`, which may be running beside.
  const settings = { ...chosen, port: given.has('port') ? chosen.port : 0 }
  const [command, ...parameters] = rest
  if (command === undefined) throw misuse('name the command after `--`: sidemint exec -- pytest')
  const { events } = createLoggedEvents(settings, io)
  const server = await startServer({ settings, env, events })
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-'))
  try {
    stderr.write(loginWarning(env))
    stderr.write(`sidemint: ${server.source.name} tokens as ${identityLabel(server.primary)} at ${server.url}\n`)
    const pointed = createClientEnv({ url: server.url, emptyDirectory: directory, env })
    return await execute(command, parameters, { ...env, ...pointed, SIDEMINT_SERVER: server.url })
  } finally {
    await server.close()
    rmSync(directory, { recursive: true, force: true })
  }
}
