/**
 * The public keys of one issuer, fetched at the first use and kept. There is one fetch at a time, with a pause between
 * fetches, and a failed fetch leaves the old keys. So the keys of a restarted issuer are found by themselves, and a flood
 * of forged tokens costs the issuer one request in five seconds.
 */

import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { fetchJson } from './fetch-json.ts'

/** An unknown key id is looked for again, and a failed fetch repeated, only after this. */
const COOLDOWN_MS = 5_000
/** The same while no keys were ever fetched, so that a gate which starts before its issuer does not wait long. */
const FIRST_RETRY_MS = 1_000
/** How long keys are fresh: what Cache-Control says, within these bounds. */
const MAX_AGE_MS = { least: 60_000, default: 600_000, most: 24 * 3_600_000 }
/** The least by RFC 7518 §3.3, the most by OpenSSL (OPENSSL_RSA_MAX_MODULUS_BITS), which verifies nothing by a longer key. */
const RSA_BITS = { least: 2048, most: 16_384 }

/** A key that an issuer publishes, or why it cannot be used. */
export type PublishedKey = { key: KeyObject; unusable?: never } | { key?: never; unusable: string }

export interface IssuerKeys {
  /** As `find`, where that need not wait; undefined where it may have to. */
  kept(kid: string): PublishedKey | undefined
  /**
   * The key with that id; undefined where the issuer publishes none. `failed`: a key with that id that had not signed the
   * token, so another is looked for: a restarted issuer may keep the id and change the key (docs/gate.md, "Verifying").
   * Throws an Error where the keys cannot be fetched.
   */
  find(kid: string, failed?: KeyObject): Promise<PublishedKey | undefined>
}

/** `locate` returns the JWKS URL and is called before each fetch; `now`: epoch ms. */
export function createRemoteKeys(locate: () => Promise<string>, now: () => number): IssuerKeys {
  let keys: Map<string, PublishedKey> | undefined
  let freshUntilMs = Number.NEGATIVE_INFINITY
  let triedAtMs = Number.NEGATIVE_INFINITY
  let failure: Error | undefined
  let pending: Promise<void> | undefined

  async function fetchKeys(): Promise<void> {
    try {
      const { body, cacheControl } = await fetchJson(await locate())
      keys = readKeys(body)
      freshUntilMs = now() + maxAgeMs(cacheControl)
      failure = undefined
    } catch (error) {
      failure = error as Error
      freshUntilMs = now() + COOLDOWN_MS
    }
    triedAtMs = now()
    pending = undefined
  }

  const refresh = () => {
    pending ??= fetchKeys()
    return pending
  }
  // A clock that is set back must not stretch the pause, hence the absolute value.
  const rested = () => Math.abs(now() - triedAtMs) >= (keys ? COOLDOWN_MS : FIRST_RETRY_MS)

  function kept(kid: string): PublishedKey | undefined {
    const known = keys?.get(kid)
    if (known && now() >= freshUntilMs) void refresh()
    return known
  }

  return {
    kept,
    async find(kid, failed) {
      const known = kept(kid)
      if (known && !(failed && known.key?.equals(failed))) return known
      if (pending || rested()) await refresh()
      const found = keys?.get(kid)
      if (!found && failure) throw failure
      return found
    },
  }
}

/** The JWKS URL that the issuer's discovery document names; the document must be that issuer's own. */
export async function discoverKeysUrl(issuer: string): Promise<string> {
  const { body } = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const { issuer: named, jwks_uri: url } = body as { issuer?: unknown; jwks_uri?: unknown }
  if (named !== issuer) throw new Error(`its discovery document names the issuer ${String(named).slice(0, 200)}`)
  if (typeof url !== 'string') throw new Error('its discovery document names no jwks_uri')
  return url
}

function readKeys(body: object): Map<string, PublishedKey> {
  const { keys } = body as { keys?: unknown }
  if (!Array.isArray(keys)) throw new Error('the answer is not a JWKS')
  const found = new Map<string, PublishedKey>()
  for (const jwk of keys) {
    const { kid } = (jwk ?? {}) as { kid?: unknown }
    if (typeof kid === 'string' && !found.get(kid)?.key) found.set(kid, readKey(jwk))
  }
  return found
}

/** One key that cannot be used must not take the issuer's others with it. */
function readKey(jwk: JsonWebKey): PublishedKey {
  const { kty, use = 'sig', alg = 'RS256', n } = jwk as Record<string, unknown>
  if (kty !== 'RSA') return { unusable: `its type (kty) is ${shown(kty)}, not "RSA"` }
  if (use !== 'sig') return { unusable: `its use is ${shown(use)}, not "sig"` }
  if (alg !== 'RS256') return { unusable: `its algorithm (alg) is ${shown(alg)}, not "RS256"` }
  try {
    // Not by Node's `asymmetricKeyDetails`: of a modulus that is too long it leaves an error behind, which Node then throws
    // at the next PEM that anything in this process reads (measured with Node.js 24.21).
    const bits = BigInt(`0x${Buffer.from(String(n), 'base64url').toString('hex')}`).toString(2).length
    if (bits >= RSA_BITS.least && bits <= RSA_BITS.most) return { key: createPublicKey({ key: jwk, format: 'jwk' }) }
    return { unusable: `it has ${bits} bits, and RS256 takes ${RSA_BITS.least} to ${RSA_BITS.most} here` }
  } catch {
    return { unusable: 'its numbers (n, e) are not an RSA key' }
  }
}

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 50)
}

function maxAgeMs(cacheControl: string | undefined): number {
  const seconds = cacheControl?.match(/(?:^|[\s,])max-age=(\d+)/i)?.[1]
  if (seconds === undefined) return MAX_AGE_MS.default
  return Math.min(Math.max(Number(seconds) * 1000, MAX_AGE_MS.least), MAX_AGE_MS.most)
}
