/** What the first mint needs, made ready while nobody waits for it. */

import { asFailure, withFix } from '../core/errors.ts'
import { createNotice, type Events } from '../core/events.ts'
import type { Identities } from '../identity/identities.ts'

/** A container's first health check, and what else follows a start at once, go before. */
const AFTER_MS = 100

export interface WarmUpOptions {
  identities: Pick<Identities, 'warm'>
  events: Events
  /** Epoch ms. */
  now: () => number
}

/**
 * Begins a moment after it is called, once. A failure is one line of the log: no mint has failed, so it is not remembered,
 * and readiness does not know of it. What this returns ends it.
 */
export function startWarmUp({ identities, events, now }: WarmUpOptions): () => void {
  const ending = new AbortController()

  async function warm(): Promise<void> {
    try {
      await identities.warm(ending.signal)
    } catch (thrown) {
      if (ending.signal.aborted) return
      const { code, message, fix } = asFailure(thrown)
      const text = `nothing is ready for the first token, which will be tried all the same: ${withFix({ message, fix })}`
      createNotice(events, now)('warn', code, text)
    }
  }

  const timer = setTimeout(() => void warm(), AFTER_MS).unref()
  return () => {
    clearTimeout(timer)
    ending.abort()
  }
}
