/** What the first mint needs, made ready while nobody waits for it. */

import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { asFailure, withFix } from '../core/errors.ts'
import { createNotice, type Events } from '../core/events.ts'
import type { Identities } from '../identity/identities.ts'

/** A container's first health check, and what else follows a start at once, go before. */
const AFTER_MS = 100

export interface WarmUpOptions {
  identities: Pick<Identities, 'warm' | 'local'>
  /** How this host reaches the server. */
  url: string
  events: Events
  /** Epoch ms. */
  now: () => number
}

/**
 * Begins a moment after it is called, once; never where tokens are signed here. A failure is one line of the log: no mint
 * has failed, so it is not remembered, and readiness does not know of it. What this returns ends it.
 */
export function startWarmUp({ identities, url, events, now }: WarmUpOptions): () => void {
  const ending = new AbortController()

  async function warm(): Promise<void> {
    try {
      await Promise.all([identities.warm(ending.signal), askItself(url, ending.signal)])
    } catch (thrown) {
      if (ending.signal.aborted) return
      const { code, message, fix } = asFailure(thrown)
      const text = `nothing is ready for the first token, which will be tried all the same: ${withFix({ message, fix })}`
      createNotice(events, now)('warn', code, text)
    }
  }

  // A first local token costs nothing that could be made ready.
  if (identities.local !== undefined) return () => {}
  const timer = setTimeout(() => void warm(), AFTER_MS).unref()
  return () => {
    clearTimeout(timer)
    ending.abort()
  }
}

/** A key that no identity lacks, and of which neither log nor data say anything. */
const HARMLESS = '/computeMetadata/v1/project/project-id'

/**
 * Asks as a client would. Code that runs for the first time takes several times as long, and the way of a request up to
 * the cache is a quarter of what a first mint costs (docs/performance.md, "The first token").
 */
async function askItself(url: string, signal: AbortSignal): Promise<void> {
  const request = get(`${url}${HARMLESS}`, { agent: false, headers: { 'Metadata-Flavor': 'Google' }, signal })
  // Where it cannot reach itself nothing is lost.
  request.on('error', () => {})
  const [answer] = (await once(request, 'response').catch(() => [])) as [IncomingMessage?]
  answer?.resume()
}
