/** What the cache keeps of a token, and how it is served from there. */

import { readCacheKey, type Token } from '../core/token.ts'
import type { Life } from './freshness.ts'

/** A token as the cache serves it. */
export interface CachedToken extends Token {
  /** When it ends by the cache's own clock, which is never set back. */
  readonly endsAtMs: number
  /** The fingerprint of an ID token, made once a mint. */
  readonly fp: string | undefined
}

export interface Entry {
  /** As it is served from here on, so a hit makes no object. */
  hit: CachedToken
  /** When the mint was answered, by the cache's own clock. */
  arrivedAtMs: number
  /** Ways in which it was served before. */
  seen: { hit: boolean; stale: boolean }
}

/** A token that is kept, without the token. */
export interface StoredToken {
  kind: string
  /** Whom it speaks for; empty: the credential itself. */
  principal: string
  /** Its audience, or the scopes of an access token. */
  wanted: string
  ageMs: number
  leftMs: number
}

export function serve(entry: Entry, served: 'hit' | 'stale'): CachedToken {
  if (!entry.seen[served]) {
    entry.seen[served] = true
    return { ...entry.hit, served, first: true }
  }
  return served === 'hit' ? entry.hit : { ...entry.hit, served }
}

export function describeStored(key: string, { ageMs, leftMs }: Life): StoredToken {
  return { ...readCacheKey(key), ageMs, leftMs }
}
