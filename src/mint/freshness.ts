/** How long a token is served: the numbers come from what Google's clients do with it. */

import type { TokenRequest } from '../core/token.ts'

/** A stored token's life, in ms of the cache's clock. */
export interface Life {
  /** Since its mint was answered, never since `iat`. */
  ageMs: number
  leftMs: number
  /** What was left when its mint was answered. */
  wholeMs: number
}

const MINUTE_MS = 60_000
/** Go takes a fetched ID token for an hour and PHP for 25 minutes, whatever its `exp` says. */
const ID_FRESH_MS = 5 * MINUTE_MS
const ID_REFRESH_MS = 4 * MINUTE_MS
/** Clients ask again on every call once their token has 3:45 to 5 minutes left. */
const ACCESS_FRESH_LEFT_MS = 5 * MINUTE_MS
const ACCESS_REFRESH_LEFT_MS = 10 * MINUTE_MS
/** A metadata server gives out one token until five minutes are left of it: asking at every hit brings no other. */
const ACCESS_REFRESH_AGE_MS = MINUTE_MS
/** Below this no token is served that a new one should have replaced, however Google fares. */
const LEAST_LEFT_MS = MINUTE_MS

/** An access token of ten minutes or less (a federation's may have five) is fresh for half of its life. */
export function isFresh({ kind }: TokenRequest, { ageMs, leftMs, wholeMs }: Life): boolean {
  return kind === 'id'
    ? ageMs <= ID_FRESH_MS && leftMs >= LEAST_LEFT_MS
    : leftMs > Math.min(ACCESS_FRESH_LEFT_MS, wholeMs / 2)
}

/** Whether a fresh token is to be replaced behind the answer. */
export function isDue({ kind }: TokenRequest, { ageMs, leftMs, wholeMs }: Life): boolean {
  return kind === 'id'
    ? ageMs >= ID_REFRESH_MS
    : leftMs <= ACCESS_REFRESH_LEFT_MS && ageMs >= Math.min(ACCESS_REFRESH_AGE_MS, wholeMs / 4)
}

/** Whether a token that is no longer fresh may be served where no other can be had. */
export function isUsable({ leftMs }: Life): boolean {
  return leftMs >= LEAST_LEFT_MS
}

/**
 * A clock that nobody sets back: it stands still at that moment and goes on with the wall clock. Otherwise a clock set
 * back during an outage would lengthen the life of a token. The system's monotonic clock will not do: it stops while a
 * laptop sleeps.
 */
export function createSteadyClock(now: () => number): () => number {
  let lastMs = Number.NEGATIVE_INFINITY
  let setBackMs = 0
  return () => {
    const atMs = now()
    if (atMs < lastMs) setBackMs += lastMs - atMs
    lastMs = atMs
    return atMs + setBackMs
  }
}
