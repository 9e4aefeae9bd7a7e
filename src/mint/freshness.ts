/** How long a token is served. The numbers follow what Google's clients do: docs/wire.md, "ID tokens" and "Access tokens". */

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
/** Go uses a fetched ID token for an hour and PHP for 25 minutes, whatever its `exp` says. */
const ID_FRESH_MS = 5 * MINUTE_MS
const ID_REFRESH_MS = 4 * MINUTE_MS
/** Clients ask again on every call once 3:30 to 5 minutes are left. */
const ACCESS_FRESH_LEFT_MS = 5 * MINUTE_MS
const ACCESS_REFRESH_LEFT_MS = 10 * MINUTE_MS
/** A real metadata server gives out the same token until five minutes are left, so asking it at every hit would bring no other. */
const ACCESS_REFRESH_AGE_MS = MINUTE_MS
/** A token with less left is never served, even while Google fails. */
const LEAST_LEFT_MS = MINUTE_MS

/** An access token that lives ten minutes or less, as federated ones may, is fresh for half of its life. */
export function isFresh({ kind }: TokenRequest, { ageMs, leftMs, wholeMs }: Life): boolean {
  return kind === 'id'
    ? ageMs <= ID_FRESH_MS && leftMs >= LEAST_LEFT_MS
    : leftMs > Math.min(ACCESS_FRESH_LEFT_MS, wholeMs / 2)
}

/** Whether a fresh token is refreshed behind the answer. */
export function isDue({ kind }: TokenRequest, { ageMs, leftMs, wholeMs }: Life): boolean {
  return kind === 'id'
    ? ageMs >= ID_REFRESH_MS
    : leftMs <= ACCESS_REFRESH_LEFT_MS && ageMs >= Math.min(ACCESS_REFRESH_AGE_MS, wholeMs / 4)
}

/** Whether a token that is no longer fresh may still be served when a new one cannot be had. */
export function isUsable({ leftMs }: Life): boolean {
  return leftMs >= LEAST_LEFT_MS
}

/**
 * A clock that never goes back: where the wall clock is set back, this one stands still and then goes on with it. A
 * clock that is set back during an outage would otherwise make a token live longer. The system's monotonic clock does
 * not do: it stops while a laptop sleeps.
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
