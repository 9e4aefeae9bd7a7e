/** Whether the last mint failed for good; told by events, so asking never mints. */

import type { Events } from './events.ts'

export interface Readiness {
  /** The code of what stands in the way, or undefined. */
  failing(): { code: string; reason: string } | undefined
  /** Forgets what stood in the way: credentials changed. */
  reset(): void
}

export function createReadiness(events: Events): Readiness {
  let failing: { code: string; reason: string } | undefined
  events.subscribe((event) => {
    if (event.type !== 'mint') return
    if (event.code === undefined) failing = undefined
    else if (!event.transient) failing = { code: event.code, reason: event.reason ?? '' }
  })
  return {
    failing: () => failing,
    reset() {
      failing = undefined
    },
  }
}
