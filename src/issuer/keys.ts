/** The local issuer's keys: the one that signs, the one that will sign next, and earlier ones whose tokens are still valid. */

import jsonwebtoken from 'jsonwebtoken'
import { generateSigningKey, type PublicKey, type SigningKey } from './key.ts'
import { type KeySet, loadKeys, replaceKeys } from './key-file.ts'

/** How long a token lives by default. */
export const LIFETIME_SECONDS = 3600
/** A token may be signed while a rotation writes its file. */
const SLACK_MS = 60_000
/** Google's library for Node refuses tokens that live longer (google-auth-library 11, DEFAULT_MAX_TOKEN_LIFETIME_SECS_). */
const LONGEST_LIFE_MS = 24 * 3_600_000

export interface KeysOptions {
  /** Where they are kept; undefined: in memory. */
  file: string | undefined
  /** Called with a warning about a file that others may read. */
  warn: (text: string) => void
  /** Epoch ms. */
  now: () => number
}

export interface SigningKeys {
  /** The key that signs now. Throws KEY_FILE_BROKEN and KEY_FILE_UNREADABLE. */
  signing(): Promise<SigningKey>
  /** A JWT with these claims, signed by the current key. */
  sign(claims: Readonly<Record<string, unknown>>): Promise<string>
  /** Every key that a receiver may need: the one that signs, the next one, earlier ones. */
  published(): Promise<readonly PublicKey[]>
  /**
   * The next key signs from now on; the current one stays published until its last token has expired. With a key file,
   * the keys are written there first. Returns the new key's id. Throws KEY_FILE_UNREADABLE, and then nothing has changed.
   */
  rotate(): Promise<string>
}

/** Starts at once to make or load the first key. */
export function createSigningKeys({ file, warn, now }: KeysOptions): SigningKeys {
  let keys: Promise<KeySet> =
    file === undefined ? generateSigningKey().then((signing) => ({ signing, retired: [] })) : loadKeys(file, warn)
  let made: Promise<SigningKey> | undefined
  let lastEndMs = 0
  let rotating: Promise<unknown> = Promise.resolve()

  /** Made at the first request for the published keys: a start should not wait for a second key. */
  async function next(): Promise<SigningKey> {
    const { next: kept } = await keys
    if (kept !== undefined) return kept
    made ??= generateSigningKey()
    return made
  }

  async function retired(): Promise<KeySet['retired']> {
    return (await keys).retired.filter(({ untilMs }) => untilMs > now())
  }

  async function rotateNow(): Promise<string> {
    const { kid, publicKey, jwk } = (await keys).signing
    const signing = await next()
    const endMs = Math.max(now() + LIFETIME_SECONDS * 1000, Math.min(lastEndMs, now() + LONGEST_LIFE_MS))
    const rotated: KeySet = {
      signing,
      next: await generateSigningKey(),
      retired: [{ kid, publicKey, jwk, untilMs: endMs + SLACK_MS }, ...(await retired())],
    }
    if (file !== undefined) await replaceKeys(file, rotated)
    keys = Promise.resolve(rotated)
    made = undefined
    lastEndMs = 0
    return signing.kid
  }

  return {
    signing: async () => (await keys).signing,
    async sign(claims) {
      const { kid, privateKey } = (await keys).signing
      if (typeof claims.exp === 'number') lastEndMs = Math.max(lastEndMs, claims.exp * 1000)
      return jsonwebtoken.sign(JSON.stringify(claims), privateKey, {
        algorithm: 'RS256',
        header: { alg: 'RS256', kid, typ: 'JWT' },
      })
    },
    published: async () => [(await keys).signing, await next(), ...(await retired())],
    rotate() {
      const rotated = rotating.then(rotateNow)
      rotating = rotated.catch(() => {})
      return rotated
    },
  }
}
