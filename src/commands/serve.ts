/** `sidemint serve`: the metadata server, until a signal asks it to stop. */

import { createFollower } from '../config/follow.ts'
import { readControlSecret } from '../control/secret.ts'
import { createNotice } from '../core/events.ts'
import { reachable } from '../core/host.ts'
import { clientGcloudDirectory, forgetGcloud } from '../env/directory.ts'
import { checkFronted } from '../gate/options.ts'
import { startServer } from '../server.ts'
import { type CommandShape, helpFor, readArguments } from './arguments.ts'
import { announce } from './banner.ts'
import type { Io } from './command.ts'
import { createLoggedEvents, following, runUntilSignal } from './lifetime.ts'

const SHAPE: CommandShape = {
  name: 'serve',
  usage: '[serve] [flags]',
  summary: `Runs the metadata server that Google client libraries expect. Where sidemint.yaml lists \`gates:\`, it stands
before those services too, as Cloud Run's front door, on --gate-port: see sidemint gate --help.`,
  flags: {},
  takes: 'nothing',
  check: checkFronted,
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { env } = io
  const { settings, followed } = await readArguments(SHAPE, { argv, env })
  const controlSecret = readControlSecret(settings.controlSecretFile, env)
  const { events, log } = createLoggedEvents(settings, io)
  return runUntilSignal(io, log, async () => {
    const follower = createFollower({ ...followed, settings, report: createNotice(events, Date.now) })
    const { readFile } = follower
    const server = await startServer({ settings, env, events, frontGates: true, warmUp: true, controlSecret, readFile })
    for (const port of [new URL(server.url).port || '80', ...server.ports.values()]) {
      forgetGcloud(clientGcloudDirectory(env, `http://${reachable(settings.host)}:${port}`))
    }
    announce(server, log, settings)
    return following(follower, server)
  })
}
