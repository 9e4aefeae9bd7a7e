/**
 * Verifies ID tokens: RS256 only, by a key that the token's own issuer publishes, and within the token's time.
 * For whom the token is meant and who may use it is not decided here.
 */

import jsonwebtoken from 'jsonwebtoken'
import { failure } from '../core/errors.ts'
import { createRemoteKeys, discoverKeysUrl, type RemoteKeys } from './jwks.ts'

/** What `google` stands for: both spellings are in tokens of today. developers.google.com/identity/openid-connect */
const GOOGLE_ISSUERS = ['https://accounts.google.com', 'accounts.google.com']
const GOOGLE_KEYS_URL = 'https://www.googleapis.com/oauth2/v3/certs'

/** How far the clocks of issuer and gate may differ, in seconds. */
const SKEW_SECONDS = 60

export interface Claims {
  iss: string
  sub: string
  /** As it stands in the token: a string where the token is sound. */
  aud: unknown
  email?: unknown
  email_verified?: unknown
  /** The Google Workspace domain of a user. */
  hd?: unknown
}

export interface Verifier {
  /**
   * The claims of a good token. Throws TOKEN_INVALID, TOKEN_EXPIRED, ISSUER_NOT_TRUSTED or KEY_UNKNOWN, and
   * KEYS_UNAVAILABLE (503) where the issuer's keys cannot be had: then nobody knows whether the token is good.
   */
  verify(token: string): Promise<Claims>
}

export interface VerifierOptions {
  /** `google`, or the URL of an issuer with a discovery document. */
  trust: readonly string[]
  /** Epoch ms. Default: the clock. */
  now?: () => number
}

export function createVerifier({ trust, now = Date.now }: VerifierOptions): Verifier {
  const issuers = new Map<string, RemoteKeys>()
  for (const entry of trust) {
    const google = entry === 'google'
    const keys = createRemoteKeys(google ? async () => GOOGLE_KEYS_URL : () => discoverKeysUrl(entry), now)
    for (const issuer of google ? GOOGLE_ISSUERS : [entry]) issuers.set(issuer, keys)
  }

  return {
    async verify(token) {
      const { kid, iss } = readHead(token)
      const keys = issuers.get(iss)
      if (!keys) throw failure('ISSUER_NOT_TRUSTED', { issuer: quote(iss), trusted: trust.join(' or ') })
      const key = await keys.find(kid).catch((error: Error) => {
        throw failure('KEYS_UNAVAILABLE', { issuer: iss, reason: error.message })
      })
      if (!key) throw failure('KEY_UNKNOWN', { kid: quote(kid), issuer: iss })
      let claims: unknown
      try {
        claims = jsonwebtoken.verify(token, key, {
          algorithms: ['RS256'],
          ignoreExpiration: true,
          ignoreNotBefore: true,
        })
      } catch {
        throw failure('TOKEN_INVALID', { reason: `its signature is not by the key that ${iss} publishes` })
      }
      return checkClaims(claims as Record<string, unknown>, Math.floor(now() / 1000))
    },
  }
}

/** The key and the issuer that the token names, before anything of it is believed. */
function readHead(token: string): { kid: string; iss: string } {
  let decoded: jsonwebtoken.Jwt | null = null
  try {
    decoded = jsonwebtoken.decode(token, { complete: true })
  } catch {}
  if (!decoded || typeof decoded.payload !== 'object' || decoded.payload === null) {
    const access = /^(ya29\.|sidemint-local-access-token\.)/.test(token)
    throw failure('TOKEN_INVALID', { reason: access ? 'it is an access token' : 'it is no JWT' })
  }
  const { alg, kid } = decoded.header
  if (alg !== 'RS256') throw failure('TOKEN_INVALID', { reason: `its algorithm is ${quote(alg)}, not RS256` })
  if (typeof kid !== 'string') throw failure('TOKEN_INVALID', { reason: 'its header names no key (kid)' })
  const { iss } = decoded.payload
  if (typeof iss !== 'string') throw failure('TOKEN_INVALID', { reason: 'it names no issuer (iss)' })
  return { kid, iss }
}

function checkClaims(claims: Record<string, unknown>, nowSeconds: number): Claims {
  const { exp, iat, nbf = iat, sub } = claims
  if (typeof sub !== 'string') throw failure('TOKEN_INVALID', { reason: 'it has no subject (sub)' })
  if (typeof exp !== 'number' || typeof iat !== 'number' || typeof nbf !== 'number') {
    throw failure('TOKEN_INVALID', { reason: 'its times (exp, iat, nbf) are not numbers' })
  }
  if (nowSeconds > exp + SKEW_SECONDS)
    throw failure('TOKEN_EXPIRED', { reason: `it expired ${nowSeconds - exp} s ago` })
  const begins = Math.max(iat, nbf)
  if (nowSeconds < begins - SKEW_SECONDS) {
    throw failure('TOKEN_EXPIRED', { reason: `it becomes valid in ${begins - nowSeconds} s` })
  }
  return claims as unknown as Claims
}

/** Text from an unverified token, safe in a log line. */
function quote(text: unknown): string {
  return JSON.stringify(String(text).slice(0, 200))
}
