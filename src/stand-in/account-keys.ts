/**
 * The keys with which accounts sign texts of their callers (signBlob, signJwt). They are not the issuer's keys: whoever
 * may sign any text as one account must not be able to make ID tokens of another. They are in memory, so signatures can be
 * verified until a restart.
 */

import { sign } from 'node:crypto'
import { certify } from '../issuer/certificate.ts'
import { generateSigningKey, type SigningKey } from '../issuer/key.ts'

export interface AccountKeys {
  /** The key of this account, made at its first use. `email` is one that the settings name, so their number is bounded. */
  of(email: string): Promise<SigningKey>
  /** Its certificates by key id, in PEM. */
  certificates(email: string): Promise<Readonly<Record<string, string>>>
}

/** `now` in epoch ms. */
export function createAccountKeys(now: () => number): AccountKeys {
  const keys = new Map<string, Promise<SigningKey>>()
  const certificates = new Map<string, Promise<string>>()
  const kept = <T>(map: Map<string, Promise<T>>, email: string, make: () => Promise<T>): Promise<T> => {
    const value = map.get(email) ?? make()
    map.set(email, value)
    return value
  }
  const of = (email: string) => kept(keys, email, generateSigningKey)
  return {
    of,
    async certificates(email) {
      const key = await of(email)
      return { [key.kid]: await kept(certificates, email, () => certify(key, key, now())) }
    },
  }
}

/** RSASSA-PKCS1-v1_5 with SHA-256, as Google's keys of service accounts sign. */
export function signBytes({ privateKey }: SigningKey, bytes: Uint8Array): Buffer {
  return sign('sha256', bytes, privateKey)
}

/** A JWT with this payload, byte for byte. */
export function signJwt(key: SigningKey, payload: string): string {
  const header = JSON.stringify({ alg: 'RS256', kid: key.kid, typ: 'JWT' })
  const signed = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.')
  return `${signed}.${signBytes(key, Buffer.from(signed)).toString('base64url')}`
}
