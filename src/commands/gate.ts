/** `sidemint gate`: Cloud Run's front door before services, until a signal asks it to stop. */

import { createFollower } from '../config/follow.ts'
import { createNotice } from '../core/events.ts'
import { checkGates, hasGate } from '../gate/options.ts'
import { startGates } from '../gate/server.ts'
import { createCallers } from '../identity/callers.ts'
import { createSystemNames } from '../identity/dns.ts'
import { createExplainRoutes } from '../inspector/explain-routes.ts'
import { NOTHING_KNOWN } from '../inspector/grants.ts'
import { createInspector } from '../inspector/inspector.ts'
import { describeGates } from '../inspector/state.ts'
import { type CommandShape, helpFor, readArguments } from './arguments.ts'
import { announceGates } from './banner.ts'
import type { Io } from './command.ts'
import { createLoggedEvents, following, runUntilSignal } from './lifetime.ts'

const SHAPE: CommandShape = {
  name: 'gate',
  usage: 'gate --upstream URL --audience URL… --invoker MEMBER…',
  summary: `Refuses as Cloud Run does: no token is 403, a bad one or one for another audience 401, a caller who is not
an invoker 403; the rest goes to the service, with the signature taken off its token. The log says why, the answer does
not. HTTP/1.1 and WebSocket; no h2c and no gRPC. For several services list \`gates:\` in sidemint.yaml, each with its
host, upstream, audience, invoker and, if need be, port and any other setting below.`,
  flags: {},
  takes: 'nothing',
  check: checkGates,
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const { settings, followed } = await readArguments(SHAPE, { argv, env: io.env })
  const { events, log } = createLoggedEvents(settings, io)
  return runUntilSignal(io, log, async () => {
    const inspector = createInspector({ events, now: Date.now, keepHits: false })
    let inForce = { settings, appliedAt: Date.now() }
    const adminRoutes = [
      inspector.routes(
        () => describeGates(inForce),
        {},
        {
          ...NOTHING_KNOWN,
          hasGate: (host) => hasGate(running.gates, host),
        },
      ),
      createExplainRoutes({ judges: () => running.judges, now: Date.now }),
    ]
    const callerOf = createCallers(createSystemNames()).labelOf
    const follower = createFollower({ ...followed, settings, report: createNotice(events, Date.now) })
    const running = await startGates({ settings, events, callerOf, adminRoutes, readFile: follower.readFile })
    announceGates(running, log, settings.logFormat)
    return following(follower, {
      async apply(next, readFile) {
        await running.apply(next, readFile)
        inForce = { settings: next, appliedAt: Date.now() }
      },
      async close(graceMs) {
        inspector.close()
        await running.close(graceMs)
      },
    })
  })
}
