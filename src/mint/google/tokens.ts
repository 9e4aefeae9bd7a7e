/** Tokens from Google's answers; their life counts from their arrival (docs/minting.md, "Lives of tokens"). */

import { SidemintError } from '../../core/errors.ts'
import { readClaims, type Token } from '../../core/token.ts'
import { Refusal } from './refusal.ts'
import { garbage } from './thrown.ts'

/** Replaces the library's own error for an answer that it cannot read: its message contains the answer. */
export async function answered<T>(host: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (thrown) {
    throw thrown instanceof SidemintError || thrown instanceof Refusal ? thrown : garbage(host)
  }
}

/** `expiryMs` is the library's, by the wall clock. Throws UPSTREAM_GARBAGE. */
export function accessTokenOf(value: unknown, expiryMs: unknown, host: string, now: () => number): Token {
  if (typeof value !== 'string' || value === '' || typeof expiryMs !== 'number') throw garbage(host)
  return { value, expiresAtMs: now() + expiryMs - Date.now(), served: 'mint' }
}

/**
 * A new ID token. Its life counts from its arrival: `exp` is by Google's clock, and a laptop's may be minutes behind
 * after a sleep. Throws UPSTREAM_GARBAGE.
 */
export function idTokenOf(value: unknown, host: string, now: () => number): Token {
  const { exp, iat } = readClaims(typeof value === 'string' ? value : '') ?? {}
  if (typeof value !== 'string' || typeof exp !== 'number' || typeof iat !== 'number') throw garbage(host)
  return { value, expiresAtMs: now() + (exp - iat) * 1000, served: 'mint' }
}
