/** What the serving commands share: a log, and a stop by signal. */

import type { Apply, Follower } from '../config/follow.ts'
import type { Settings } from '../config/settings.ts'
import { describeFault } from '../core/errors.ts'
import { createEvents, createNotice, type Events } from '../core/events.ts'
import { createLog, type Log } from '../observe/log.ts'
import type { Io } from './command.ts'

/** How long requests in flight get after a signal; a supervisor may kill us after a second. */
const GRACE_MS = 800

/**
 * The events of this process, and their log on stderr. A rejection or an exception that nothing catches is logged by its
 * code and place, and the process goes on: one caller has to ask again, where an end would cut every service off from its
 * tokens. Nothing is left half changed, since tokens and settings are replaced as a whole.
 */
export function createLoggedEvents(settings: Settings, { env, stderr, onFault }: Io): { events: Events; log: Log } {
  const events = createEvents()
  const log = createLog({
    format: settings.logFormat,
    level: settings.logLevel,
    colour: stderr.isTTY === true && env.NO_COLOR === undefined,
    write: (line) => stderr.write(line),
    now: Date.now,
  })
  events.subscribe(log.read)
  onFault?.((thrown) => {
    createNotice(events, Date.now)('error', 'INTERNAL', describeFault(thrown))
  })
  return { events, log }
}

/** Runs what `start` starts until the first signal that asks to stop; a second one ends the process at once. */
export async function runUntilSignal(
  { stopSignal }: Io,
  log: Log,
  start: () => Promise<{ close(graceMs: number): Promise<void> }>,
): Promise<number> {
  const stopped = stopSignal()
  const running = await start()
  log.say('info', `${await stopped}: stopping`)
  await running.close(GRACE_MS)
  return 0
}

interface Running {
  apply: Apply
  close(graceMs: number): Promise<void>
}

/** Applies what the settings file says from now on, until it is closed. */
export function following(follower: Follower, { apply, close }: Running): { close: Running['close'] } {
  follower.start(apply)
  return {
    async close(graceMs) {
      await follower.stop()
      await close(graceMs)
    },
  }
}
