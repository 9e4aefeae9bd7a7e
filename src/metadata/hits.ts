/**
 * What makes a cached answer cheap: one record for each URL of each identity.
 *
 *   URL, identity        -> request and its cache key     for good: the URL says all of it
 *   token                -> answer                        until the cache gives another token
 *   whole seconds left   -> answer                        until the next second, where the body shows them
 *
 * No token is served from here: every request asks the cache, which alone decides what is fresh. A URL that was refused
 * (its audience is missing) is not remembered.
 */

import { shownRequest } from '../core/secrets.ts'
import { cacheKey, type TokenRequest } from '../core/token.ts'
import type { Answer } from '../http/wire.ts'
import type { CachedToken } from '../mint/cache.ts'
import type { Question } from './tree.ts'

export class Hit {
  readonly request: TokenRequest
  readonly key: string
  /** The request as its events have it. */
  readonly shown: TokenRequest
  readonly #question: Question
  #token: CachedToken | undefined
  #secondsLeft: number | undefined
  #answer: Answer | undefined

  constructor(question: Question) {
    this.#question = question
    this.request = question.request
    this.key = cacheKey(question.request)
    this.shown = shownRequest(question.request)
  }

  /**
   * `leftMs`: what is left of the token, called only where the body shows it. The seconds are a whole number above zero:
   * Java and Rust refuse another, Go zero (docs/wire.md, "Access tokens").
   */
  answer(token: CachedToken, leftMs: (token: CachedToken) => number): Answer {
    const secondsLeft = this.#question.showsLife ? Math.max(1, Math.floor(leftMs(token) / 1000)) : 0
    if (this.#answer === undefined || this.#token !== token || this.#secondsLeft !== secondsLeft) {
      this.#token = token
      this.#secondsLeft = secondsLeft
      this.#answer = this.#question.answer(token, secondsLeft)
    }
    return this.#answer
  }
}

/** How many URLs are kept, and how long one may be: as clients ask it is 1 kB each, at the worst 8 MB in all. */
const KEPT = 2_000
const KEPT_LENGTH = 1_000

export interface Hits {
  get(identity: object, url: string): Hit | undefined
  add(identity: object, url: string, hit: Hit): void
}

export function createHits(): Hits {
  const byIdentity = new Map<object, Map<string, Hit>>()
  let count = 0
  return {
    get: (identity, url) => byIdentity.get(identity)?.get(url),
    add(identity, url, hit) {
      if (url.length > KEPT_LENGTH) return
      if (count >= KEPT) {
        byIdentity.clear()
        count = 0
      }
      const hits = byIdentity.get(identity) ?? new Map<string, Hit>()
      byIdentity.set(identity, hits.set(url, hit))
      count += 1
    },
  }
}
