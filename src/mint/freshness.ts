/** How long a token is served. The numbers follow what Google's clients do: docs/wire.md, "ID tokens" and "Access tokens". */

import type { TokenRequest } from '../core/token.ts'

/** A stored token's life, in ms of the cache's clock. */
export interface Life {
  /** Since its mint was answered, never since `iat`. */
  ageMs: number
  leftMs: number
  /** What was left when its mint was answered. */
  wholeMs: number
  /** How far the wall clock was set back since then. */
  setBackMs: number
}

const MINUTE_MS = 60_000
/** Go uses a fetched ID token for an hour and PHP for 25 minutes, whatever its `exp` says. */
const ID_FRESH_MS = 5 * MINUTE_MS
const ID_REFRESH_MS = 4 * MINUTE_MS
/**
 * A token's `iat` may lie so far in the future: whole seconds, and what clocks of one network differ by. Receivers refuse
 * one from further ahead; some allow for seconds, and others for nothing.
 */
const MOST_SET_BACK_MS = 2 * 1_000
/** Clients ask again on every call once 3:30 to 5 minutes are left. */
const ACCESS_FRESH_LEFT_MS = 5 * MINUTE_MS
const ACCESS_REFRESH_LEFT_MS = 10 * MINUTE_MS
/** A real metadata server gives out the same token until five minutes are left, so asking it at every hit would bring no other. */
const ACCESS_REFRESH_AGE_MS = MINUTE_MS
/** A token with less left is never served, even while Google fails. */
const LEAST_LEFT_MS = MINUTE_MS

/**
 * How a stored token stands for a request:
 * - `fresh`: it is the answer.
 * - `due`: it is the answer, and is refreshed behind it.
 * - `late`: it is the answer only where a new one cannot be had in time.
 * - `spent`: it is not served any more.
 */
export type Standing = 'fresh' | 'due' | 'late' | 'spent'

/**
 * The rules of the cache. One function, which V8 inlines: called in parts, every hit allocated its Life (measured with
 * Node.js 24: six times the collections).
 */
export function standingOf(request: TokenRequest, { ageMs, leftMs, wholeMs, setBackMs }: Life): Standing {
  if (request.kind === 'id') {
    const isFresh = ageMs <= ID_FRESH_MS && setBackMs <= MOST_SET_BACK_MS && leftMs >= LEAST_LEFT_MS
    if (isFresh) return ageMs >= ID_REFRESH_MS ? 'due' : 'fresh'
  } else {
    // One that lives ten minutes or less, as federated ones may, is fresh for half of its life.
    const isFresh = leftMs > Math.min(ACCESS_FRESH_LEFT_MS, wholeMs / 2)
    const isDue = leftMs <= ACCESS_REFRESH_LEFT_MS && ageMs >= Math.min(ACCESS_REFRESH_AGE_MS, wholeMs / 4)
    if (isFresh) return isDue ? 'due' : 'fresh'
  }
  return leftMs >= LEAST_LEFT_MS ? 'late' : 'spent'
}

/** Less is no more than whole milliseconds and the time between two looks; counted at each look, it would add up. */
const SET_BACK_MS = 100

export interface SteadyClock {
  now(): number
  /** How far the wall clock was set back so far, as of the last look. */
  readonly setBackMs: number
}

/**
 * A clock that never goes back: where the wall clock is set back, this one goes on with what `elapsed` says, or without
 * that stands still until the wall clock goes on. A clock that is set back would otherwise make a token live longer. The
 * system's monotonic clock alone does not do: it stops while a laptop sleeps.
 */
export function createSteadyClock(
  now: () => number,
  elapsed: () => number = now === Date.now ? () => performance.now() : () => 0,
): SteadyClock {
  let lastMs = Number.NEGATIVE_INFINITY
  let lastElapsedMs = elapsed()
  let setBackMs = 0
  return {
    now() {
      const atMs = now()
      const elapsedMs = elapsed()
      const lostMs = lastMs + elapsedMs - lastElapsedMs - atMs
      if (atMs < lastMs || lostMs > SET_BACK_MS) setBackMs += lostMs
      lastMs = atMs
      lastElapsedMs = elapsedMs
      return atMs + setBackMs
    },
    get setBackMs() {
      return setBackMs
    },
  }
}
