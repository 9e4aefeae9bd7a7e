/** Logs each caller that has no identity: a typo in `callers` would otherwise leave no line at all. */

import { withFix } from '../core/errors.ts'
import { createNotice, type Events } from '../core/events.ts'
import { createOnce } from '../core/once.ts'
import { shownAudience } from '../core/secrets.ts'
import { type Caller, callerLabel } from '../identity/callers.ts'

/** An audience may be as long as a URL; two that differ only after this many characters count as one. */
const LONGEST_COMPARED = 1_000

export interface Strangers {
  /** Records CALLER_UNKNOWN once for each caller and audience, as soon as the caller's name is known. */
  tell(caller: Caller, query: URLSearchParams): void
}

export function createStrangers(events: Events, now: () => number): Strangers {
  const notice = createNotice(events, now)
  const isFirst = createOnce()

  function tell(caller: Caller, audience: string): void {
    const label = callerLabel(caller)
    if (!isFirst(`${label} ${audience.slice(0, LONGEST_COMPARED)}`)) return
    const who = label === caller.address ? label : `${label} (${caller.address})`
    const wanted = audience === '' ? '' : `, and asked for a token for ${audience}`
    const fix = `add "callers: [${label}]" to one under identities: in sidemint.yaml, or an entry without callers for everybody else`
    notice('warn', 'CALLER_UNKNOWN', withFix({ message: `${who} has no identity${wanted}`, fix }))
  }

  return {
    tell(caller, query) {
      const audience = shownAudience(query.get('audience') ?? '')
      if (caller.naming === undefined) tell(caller, audience)
      else void caller.naming.then(() => tell(caller, audience))
    },
  }
}
