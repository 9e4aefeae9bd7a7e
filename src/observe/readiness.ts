/** Whether the last mint failed for good, or the clock is off. Known from events and responses: asking never mints. */

import { failure, type SidemintError, withFix } from '../core/errors.ts'
import { createNotice, type Events } from '../core/events.ts'

export interface Readiness {
  /** The failure's code and fix, or undefined. Not its sentence, which may name the path of a credential. */
  failing(): { code: string; fix: string } | undefined
  /** Forgets what failed, once there are other credentials. */
  reset(): void
  /** Compares our clock with the minter's, epoch ms. */
  compareClock(theirMs: number): void
}

/** Python's verifier accepts no skew, Google's others five minutes (docs/minting.md, "The local issuer"). */
export const SKEW_WARNED_MS = 5_000
export const SKEW_REFUSED_MS = 30_000

export function createReadiness(events: Events, now: () => number): Readiness {
  let failing: ReturnType<Readiness['failing']>
  let skew: ReturnType<Readiness['failing']>
  let warned = false
  events.subscribe((event) => {
    if (event.type !== 'mint') return
    if (event.code === undefined) failing = undefined
    else if (!event.transient) failing = { code: event.code, fix: event.fix ?? '' }
  })
  return {
    failing: () => skew ?? failing,
    reset() {
      failing = undefined
    },
    compareClock(theirMs) {
      const skewMs = now() - theirMs
      const error = describeSkew(skewMs)
      const { code, fix } = error
      const text = withFix(error)
      skew = Math.abs(skewMs) > SKEW_REFUSED_MS ? { code, fix } : undefined
      if (warned || Math.abs(skewMs) <= SKEW_WARNED_MS) return
      warned = true
      createNotice(events, now)('warn', code, text)
    },
  }
}

/** `skewMs`: how far our clock is ahead. */
export function describeSkew(skewMs: number): SidemintError {
  const seconds = String(Math.round(Math.abs(skewMs) / 1000))
  return failure('CLOCK_SKEW', { seconds, direction: skewMs > 0 ? 'ahead of' : 'behind' })
}
