/** A signing key: random, named by its RFC 7638 thumbprint, published as a JWK. */

import { createHash, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'

export const MODULUS_BITS = 2048

/** The half of a key that receivers get. */
export interface PublicKey {
  /** `local-` and the RFC 7638 thumbprint, base64url: so a local key is never taken for one of Google's. */
  kid: string
  publicKey: KeyObject
  /** The public key as a JWK with `kid`, `use` and `alg`, which Java needs (docs/minting.md, "The local issuer"). */
  jwk: { kty: string; n: string; e: string; kid: string; alg: 'RS256'; use: 'sig' }
}

export interface SigningKey extends PublicKey {
  privateKey: KeyObject
}

export const LOCAL_KID = /^local-/

/** Made on a thread, so that a start can begin with it. */
export async function generateSigningKey(): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS })
  return signingKey(privateKey)
}

export function signingKey(privateKey: KeyObject): SigningKey {
  return { ...publicKeyOf(createPublicKey(privateKey)), privateKey }
}

export function publicKeyOf(publicKey: KeyObject): PublicKey {
  const { n, e } = publicKey.export({ format: 'jwk' }) as { n: string; e: string }
  const thumbprint = createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url')
  const kid = `local-${thumbprint}`
  return { kid, publicKey, jwk: { kty: 'RSA', n, e, kid, alg: 'RS256', use: 'sig' } }
}
