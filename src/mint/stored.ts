/** What the cache keeps of a token, and how it serves it. */

import { shownAudience } from '../core/secrets.ts'
import { readCacheKey, type Token } from '../core/token.ts'
import type { Life } from './freshness.ts'

/** A token as the cache serves it. */
export interface CachedToken extends Token {
  /** When it ends, by the cache's own clock, which never goes back. */
  readonly endsAtMs: number
  /** The fingerprint of an ID token, made once for each mint. */
  readonly fp: string | undefined
}

export interface Entry {
  /** Served from now on, so that a hit makes no object. */
  hit: CachedToken
  /** When the mint was answered, by the cache's own clock. */
  arrivedAtMs: number
  /** How far the wall clock had been set back by then. */
  setBackMs: number
  /** Ways in which it was served before. */
  seen: { hit: boolean; stale: boolean }
}

/** What is known of a kept token, without the token itself. */
export interface StoredToken {
  kind: string
  /** Its account; empty: the credential's own. */
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
  const { kind, principal, wanted } = readCacheKey(key)
  const asked = kind === 'id' ? [wanted] : wanted.split(' ')
  return { kind, principal, wanted: asked.map(shownAudience).join(' '), ageMs, leftMs }
}
