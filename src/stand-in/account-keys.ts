/**
 * The keys with which accounts sign texts of their callers (signBlob, signJwt). They are not the issuer's keys: whoever
 * may sign any text as one account must not be able to make ID tokens of another. They are kept where the issuer's is, so
 * that a signed URL outlives a restart as it does with Google.
 */

import { sign } from 'node:crypto'
import { join } from 'node:path'
import { certify } from '../issuer/certificate.ts'
import { generateSigningKey, type SigningKey } from '../issuer/key.ts'
import { loadKeys } from '../issuer/key-file.ts'

export interface AccountKeys {
  /**
   * The key of this account, made at its first use. `email` is one that the settings name, so their number is bounded.
   * Throws KEY_FILE_BROKEN and KEY_FILE_UNREADABLE.
   */
  of(email: string): Promise<SigningKey>
  /** Its certificates by key id, in PEM. Throws as `of` does. */
  certificates(email: string): Promise<Readonly<Record<string, string>>>
}

export interface AccountKeysOptions {
  /** Where each account has a file; undefined: the keys are in memory. */
  folder: string | undefined
  /** Called with a warning about a file that others may read. */
  warn: (text: string) => void
  /** Epoch ms. */
  now: () => number
}

export function createAccountKeys({ folder, warn, now }: AccountKeysOptions): AccountKeys {
  const of = createMemo(async (email) =>
    folder === undefined ? generateSigningKey() : (await loadKeys(join(folder, `stand-in-${email}.key`), warn)).signing,
  )
  const certificateOf = createMemo(async (email) => {
    const key = await of(email)
    return certify(key, key, now())
  })
  return {
    of,
    certificates: async (email) => ({ [(await of(email)).kid]: await certificateOf(email) }),
  }
}

/** Makes each email's value once, and again where that failed. */
function createMemo<T>(make: (email: string) => Promise<T>): (email: string) => Promise<T> {
  const made = new Map<string, Promise<T>>()
  return (email) => {
    const value = made.get(email) ?? make(email)
    made.set(email, value)
    value.catch(() => made.delete(email))
    return value
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
