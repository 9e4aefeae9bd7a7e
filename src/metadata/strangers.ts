/** Logs each caller that has no identity: a typo in `callers` would otherwise leave no line at all. */

import { withFix } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import { type Caller, callerLabel } from '../identity/callers.ts'

/** Beyond this many, all are forgotten and may be logged again. */
const MOST_KEPT = 1_000

export interface Strangers {
  /** Records CALLER_UNKNOWN once for each caller and audience, as soon as the caller's name is known. */
  tell(caller: Caller, query: URLSearchParams): void
}

export function createStrangers(events: Events, now: () => number): Strangers {
  const told = new Set<string>()

  function tell(caller: Caller, audience: string): void {
    const label = callerLabel(caller)
    const key = `${label} ${audience.slice(0, MOST_KEPT)}`
    if (told.has(key)) return
    if (told.size >= MOST_KEPT) told.clear()
    told.add(key)
    const who = label === caller.address ? label : `${label} (${caller.address})`
    const wanted = audience === '' ? '' : `, and asked for a token for ${audience}`
    const fix = `add "callers: [${label}]" to one under identities: in sidemint.yaml, or an entry without callers for everybody else`
    const text = withFix({ message: `${who} has no identity${wanted}`, fix })
    events.record({ type: 'notice', at: now(), level: 'warn', code: 'CALLER_UNKNOWN', text })
  }

  return {
    tell(caller, query) {
      const audience = query.get('audience') ?? ''
      if (caller.naming === undefined) tell(caller, audience)
      else void caller.naming.then(() => tell(caller, audience))
    },
  }
}
