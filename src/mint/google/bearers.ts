/** The access tokens with which credentials call IAM: each is kept while it is valid, and fetched once for all who wait. */

import type { Token } from '../../core/token.ts'

/** No call takes this long. */
const LEAST_LEFT_MS = 60_000

export interface Bearers<K> {
  /** A kept one that may be used now, if there is one. */
  kept(key: K): Token | undefined
  /** A new one, or the one that is being fetched. */
  fresh(key: K): Promise<Token>
}

export function createBearers<K>(fetchBearer: (key: K) => Promise<Token>, now: () => number): Bearers<K> {
  const tokens = new Map<K, Token>()
  const inFlight = new Map<K, Promise<Token>>()

  async function fetchAndKeep(key: K): Promise<Token> {
    try {
      const token = await fetchBearer(key)
      tokens.set(key, token)
      return token
    } finally {
      inFlight.delete(key)
    }
  }

  return {
    kept(key) {
      const token = tokens.get(key)
      return token !== undefined && token.expiresAtMs - now() > LEAST_LEFT_MS ? token : undefined
    },
    fresh(key) {
      const fetching = inFlight.get(key) ?? fetchAndKeep(key)
      inFlight.set(key, fetching)
      return fetching
    },
  }
}
