/** `sidemint serve`: the metadata server until it is told to stop. */

import type { SettingName } from '../config/settings.ts'
import { METADATA_URL } from '../core/google.ts'
import { startServer } from '../server.ts'
import { type CommandShape, helpFor, readArguments } from './arguments.ts'
import { announce } from './banner.ts'
import type { Io } from './command.ts'
import { createLoggedEvents, runUntilSignal } from './lifetime.ts'

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
  imageDefaults: { host: '0.0.0.0', port: 80, issuer: METADATA_URL },
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { env } = io
  const { settings } = await readArguments(SHAPE, { argv, env })
  const { events, log } = createLoggedEvents(settings, io)
  return runUntilSignal(io, log, async () => {
    const server = await startServer({ settings, env, events })
    announce(server, log, settings)
    return server
  })
}
