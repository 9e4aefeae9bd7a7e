/** `sidemint serve`: the metadata server until it is told to stop. */

import { announce } from '../banner.ts'
import { createEvents } from '../events.ts'
import { createLog } from '../log.ts'
import { startServer } from '../server.ts'
import type { SettingName } from '../settings.ts'
import { type CommandShape, helpFor, readArguments } from './arguments.ts'
import type { Io } from './command.ts'

/** Every setting of a server: `exec` takes them too. */
export const SERVER_SETTINGS = [
  'config',
  'host',
  'port',
  'source',
  'impersonateServiceAccount',
  'serviceAccount',
  'project',
  'projectNumber',
  'region',
  'zone',
  'platform',
  'allowAudience',
  'allowHost',
  'allowUserTokens',
  'issuer',
  'keyFile',
  'cacheEntries',
  'logFormat',
  'logLevel',
] as const satisfies readonly SettingName[]

const SHAPE: CommandShape = {
  usage: '[serve] [flags]',
  summary: 'Runs the metadata server that Google client libraries expect.',
  settings: SERVER_SETTINGS,
  flags: {},
  takes: 'nothing',
}

/** What is in flight at a signal gets this long; a supervisor may kill us after a second. */
const GRACE_MS = 800

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], { env, stderr }: Io): Promise<number> {
  const { settings } = await readArguments(SHAPE, { argv, env })
  const events = createEvents()
  const log = createLog({
    format: settings.logFormat,
    level: settings.logLevel,
    colour: stderr.isTTY === true && env.NO_COLOR === undefined,
    write: (line) => stderr.write(line),
    now: Date.now,
  })
  events.subscribe(log.read)
  const stopped = signalled()
  const server = await startServer({ settings, env, events })
  announce(server, log, settings)
  const signal = await stopped
  log.say('info', `${signal}: stopping`)
  await server.close(GRACE_MS)
  return 0
}

/** The first signal that asks to stop; a second one ends the process at once. */
function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}
