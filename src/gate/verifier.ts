/**
 * Verifies ID tokens: RS256 only, by a key that the token's own issuer publishes, within the token's time (docs/gate.md,
 * "Verifying"). Does not check the audience, nor who may invoke.
 */

import type { KeyObject } from 'node:crypto'
import jsonwebtoken, { type VerifyOptions } from 'jsonwebtoken'
import { failure } from '../core/errors.ts'
import { fingerprint } from '../core/token.ts'
import { REMOVED } from './credential.ts'
import type { IssuerKeys } from './jwks.ts'
import { createKnownTokens, nameOf, type Signed } from './known.ts'
import { whyNotJwt } from './not-a-token.ts'
import { createSigners, quote, type SignersOptions } from './signers.ts'

/** How far the clocks of issuer and gate may differ, in seconds. */
const SKEW_SECONDS = 60

export interface Claims extends Record<string, unknown> {
  iss: string
  sub: string
  /** As in the token, unchecked. */
  aud: unknown
  email?: unknown
  email_verified?: unknown
  /** The Google Workspace domain of a user. */
  hd?: unknown
}

export interface Verified {
  claims: Claims
  /** The entry of `trust` whose key signed the token. */
  trusted: string
  /** The token's fingerprint. */
  fp: string
}

export interface Verifier {
  /**
   * The claims of a valid token: no promise where it was verified before and its issuer still publishes that key, since a
   * call that is let through would wait for ten of them. Throws, or rejects with, TOKEN_INVALID, TOKEN_EXPIRED,
   * ISSUER_NOT_TRUSTED, KEY_UNKNOWN or KEY_UNUSABLE, and KEYS_UNAVAILABLE (503) where the issuer's keys cannot be fetched,
   * so that the token cannot be judged. `spell`: spells the setting that names more issuers, for the fix. Default: the flag.
   */
  verify(token: string, spell?: (setting: 'trust') => string): Verified | Promise<Verified>
}

export function createVerifier(options: SignersOptions): Verifier {
  const { now = Date.now } = options
  const signerOf = createSigners(options)
  const tokens = createKnownTokens()

  async function signedOf(token: string, setting: string): Promise<Signed> {
    const { kid, iss } = readHead(token)
    const { keys, trusted } = await signerOf(kid, iss, setting)
    const signed = await readSigned(token, (failed) => keyOf(keys, kid, iss, failed))
    if (!signed) throw failure('TOKEN_INVALID', { reason: whyUnsigned(token, iss) })
    const { key, claims } = signed
    return { trusted, fp: fingerprint(token), claims, isKept: () => keys.kept(kid)?.key === key }
  }

  function inTime(name: string, { trusted, fp, claims }: Signed): Verified {
    try {
      return { trusted, fp, claims: checkClaims(claims, Math.floor(now() / 1000)) }
    } catch (error) {
      tokens.delete(name)
      throw error
    }
  }

  async function verifyNew(name: string, token: string, setting: string): Promise<Verified> {
    const signed = await signedOf(token, setting)
    tokens.add(name, signed)
    return inTime(name, signed)
  }

  return {
    verify(token, spell = (setting) => `--${setting}`) {
      const name = nameOf(token)
      const known = tokens.get(name)
      if (known?.isKept()) return inTime(name, known)
      tokens.delete(name)
      return verifyNew(name, token, spell('trust'))
    },
  }
}

async function keyOf(keys: IssuerKeys, kid: string, iss: string, failed?: KeyObject): Promise<KeyObject> {
  const found = await keys.find(kid, failed).catch((error: Error) => {
    throw failure('KEYS_UNAVAILABLE', { issuer: iss, reason: error.message })
  })
  if (!found) throw failure('KEY_UNKNOWN', { kid: quote(kid), issuer: iss })
  if (!found.key) throw failure('KEY_UNUSABLE', { kid: quote(kid), issuer: iss, reason: found.unusable })
  return found.key
}

/** The claims, and the key of its issuer that has signed them; undefined where none has. Calls `key` again with the first key where that had not. */
async function readSigned(
  token: string,
  key: (failed?: KeyObject) => Promise<KeyObject>,
): Promise<{ claims: Record<string, unknown>; key: KeyObject } | undefined> {
  const first = await key()
  const claims = payloadOf(token, first)
  if (claims) return { claims, key: first }
  const other = await key(first)
  const otherClaims = other.equals(first) ? undefined : payloadOf(token, other)
  return otherClaims && { claims: otherClaims, key: other }
}

function payloadOf(token: string, key: KeyObject): Record<string, unknown> | undefined {
  try {
    const options: VerifyOptions = { algorithms: ['RS256'], ignoreExpiration: true, ignoreNotBefore: true }
    return jsonwebtoken.verify(token, key, options) as Record<string, unknown>
  } catch {
    return undefined
  }
}

/** The key and the issuer that the token names; nothing is verified yet. */
function readHead(token: string): { kid: string; iss: string } {
  let decoded: jsonwebtoken.Jwt | null = null
  try {
    decoded = jsonwebtoken.decode(token, { complete: true })
  } catch {}
  if (!decoded || typeof decoded.payload !== 'object' || decoded.payload === null) {
    throw failure('TOKEN_INVALID', { reason: whyNotJwt(token) })
  }
  if (token.endsWith(REMOVED)) throw failure('TOKEN_INVALID', { reason: WITHOUT_SIGNATURE })
  const { alg, kid, crit } = decoded.header
  // RFC 7515 §4.1.11: whoever does not know what it names must refuse the token, and we know nothing that it can name.
  if (crit !== undefined) throw failure('TOKEN_INVALID', { reason: 'its header asks for extensions (crit)' })
  if (alg === undefined) throw failure('TOKEN_INVALID', { reason: 'its header names no algorithm (alg)' })
  if (alg !== 'RS256') throw failure('TOKEN_INVALID', { reason: `its algorithm is ${quote(alg)}, not RS256` })
  if (typeof kid !== 'string') throw failure('TOKEN_INVALID', { reason: 'its header names no key (kid)' })
  const { iss } = decoded.payload
  if (typeof iss !== 'string') throw failure('TOKEN_INVALID', { reason: 'it names no issuer (iss)' })
  return { kid, iss }
}

/** RFC 7518 §3.3: a key has at least 2048 bits, so its signature at least 342 characters. */
function whyUnsigned(token: string, iss: string): string {
  const { length } = token.slice(token.lastIndexOf('.') + 1)
  return length < 342 ? 'its signature is cut off' : `its signature is not by the key that ${iss} publishes`
}

const WITHOUT_SIGNATURE =
  'its signature has been removed, as a service behind Cloud Run or a gate receives it, and so it cannot be sent on'

function checkClaims(claims: Record<string, unknown>, nowSeconds: number): Claims {
  if (typeof claims.sub !== 'string') throw failure('TOKEN_INVALID', { reason: 'it has no subject (sub)' })
  const exp = secondsOf(claims, 'exp')
  const iat = secondsOf(claims, 'iat')
  const nbf = claims.nbf === undefined ? iat : secondsOf(claims, 'nbf')
  if (nowSeconds > exp + SKEW_SECONDS)
    throw failure('TOKEN_EXPIRED', { reason: `it expired ${nowSeconds - exp} s ago` })
  const begins = Math.max(iat, nbf)
  if (nowSeconds < begins - SKEW_SECONDS) {
    throw failure('TOKEN_EXPIRED', { reason: `it becomes valid in ${begins - nowSeconds} s` })
  }
  return claims as unknown as Claims
}

/** RFC 7519 §2, NumericDate. What now is in milliseconds would be a time of the year 58,000 in seconds. */
function secondsOf(claims: Record<string, unknown>, name: 'exp' | 'iat' | 'nbf'): number {
  const time = claims[name]
  if (typeof time === 'number' && time < 1e11) return time
  if (time === undefined) throw failure('TOKEN_INVALID', { reason: `it has no ${name}` })
  if (typeof time === 'number')
    throw failure('TOKEN_INVALID', { reason: `its ${name} is in milliseconds, not in seconds` })
  const text = JSON.stringify(time).slice(0, 200)
  throw failure('TOKEN_INVALID', { reason: `its ${name} is ${text}, not a number` })
}
