/**
 * What was verified once, by the token's hash. A caller sends the same token for up to an hour, and its signature costs
 * more than the rest of a decision. Only the signature is known from here: time, key, audience and caller are checked
 * again at every request.
 */

import { hash } from 'node:crypto'

/** A token that somebody signed. */
export interface Signed {
  /** The entry of `trust` whose key signed it. */
  trusted: string
  claims: Record<string, unknown>
  /** Its fingerprint. */
  fp: string
  /** Whether its issuer still publishes the key that signed it. */
  isKept(): boolean
}

export interface KnownTokens {
  get(name: string): Signed | undefined
  add(name: string, signed: Signed): void
  delete(name: string): void
}

/** A forger adds nothing: a token is known once its signature was good. One takes 2 kB. */
const MOST = 1_000

/** The token's name here: nothing that can be sent as a token is kept. */
export function nameOf(token: string): string {
  return hash('sha256', token, 'base64')
}

export function createKnownTokens(): KnownTokens {
  const tokens = new Map<string, Signed>()
  return {
    get: (name) => tokens.get(name),
    add(name, signed) {
      if (tokens.size >= MOST) tokens.clear()
      tokens.set(name, signed)
    },
    delete: (name) => void tokens.delete(name),
  }
}
