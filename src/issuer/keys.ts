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
  settings: {
    /** Where they are kept. Default: in memory. */
    keyFile?: string | undefined
  }
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
  /** What a JWT holds where a published key signed it, whatever its times say; undefined where none did. */
  verify(jwt: string): Promise<{ header: object; claims: Readonly<Record<string, unknown>> } | undefined>
  /** The key with that id that signs now or did before; undefined where the keys have to be waited for, too. */
  kept(kid: string): PublicKey | undefined
  /** Every key that a receiver may need: the one that signs, the next one, earlier ones. */
  published(): Promise<readonly PublicKey[]>
  /**
   * The next key signs from now on; the current one stays published until its last token has expired. With a key file,
   * the keys are written there first. Returns the new key's id. Throws KEY_FILE_UNREADABLE, and then nothing has changed.
   */
  rotate(): Promise<string>
}

/** Starts at once to make or load the first key. */
export function createSigningKeys(options: KeysOptions): SigningKeys {
  return new LocalKeys(options)
}

class LocalKeys implements SigningKeys {
  readonly #options: KeysOptions
  #keys: Promise<KeySet>
  /** The same, once they are there. */
  #kept: KeySet | undefined
  #made: Promise<SigningKey> | undefined
  #lastEndMs = 0
  #rotating: Promise<unknown> = Promise.resolve()

  constructor(options: KeysOptions) {
    const { settings, warn } = options
    const { keyFile: file } = settings
    this.#options = options
    this.#keys =
      file === undefined ? generateSigningKey().then((signing) => ({ signing, retired: [] })) : loadKeys(file, warn)
    this.#keys.then(
      (keys) => (this.#kept = keys),
      () => {},
    )
  }

  async signing(): Promise<SigningKey> {
    return (await this.#keys).signing
  }

  async sign(claims: Readonly<Record<string, unknown>>): Promise<string> {
    const { kid, privateKey } = await this.signing()
    if (typeof claims.exp === 'number') this.#lastEndMs = Math.max(this.#lastEndMs, claims.exp * 1000)
    return jsonwebtoken.sign(JSON.stringify(claims), privateKey, {
      algorithm: 'RS256',
      header: { alg: 'RS256', kid, typ: 'JWT' },
    })
  }

  async verify(jwt: string) {
    return (await this.published()).map((key) => read(jwt, key)).find((content) => content !== undefined)
  }

  kept(kid: string): PublicKey | undefined {
    if (this.#kept === undefined) return undefined
    const { signing } = this.#kept
    return signing.kid === kid ? signing : this.#retired(this.#kept).find((key) => key.kid === kid)
  }

  async published(): Promise<readonly PublicKey[]> {
    return [await this.signing(), await this.#next(), ...this.#retired(await this.#keys)]
  }

  rotate(): Promise<string> {
    const rotated = this.#rotating.then(() => this.#rotate())
    this.#rotating = rotated.catch(() => {})
    return rotated
  }

  /** Made at the first request for the published keys: a start should not wait for a second key. */
  async #next(): Promise<SigningKey> {
    const { next } = await this.#keys
    if (next !== undefined) return next
    this.#made ??= generateSigningKey()
    return this.#made
  }

  #retired({ retired }: KeySet): KeySet['retired'] {
    return retired.filter(({ untilMs }) => untilMs > this.#options.now())
  }

  async #rotate(): Promise<string> {
    const { settings, now } = this.#options
    const { keyFile: file } = settings
    const { kid, publicKey, jwk } = await this.signing()
    const signing = await this.#next()
    const lastEndMs = Math.min(this.#lastEndMs, now() + LONGEST_LIFE_MS)
    const untilMs = Math.max(now() + LIFETIME_SECONDS * 1000, lastEndMs) + SLACK_MS
    const retired = [{ kid, publicKey, jwk, untilMs }, ...this.#retired(await this.#keys)]
    const rotated: KeySet = { signing, next: await generateSigningKey(), retired }
    if (file !== undefined) await replaceKeys(file, rotated)
    this.#keys = Promise.resolve(rotated)
    this.#kept = rotated
    this.#made = undefined
    this.#lastEndMs = 0
    return signing.kid
  }
}

function read(jwt: string, { publicKey }: PublicKey) {
  try {
    const { header, payload } = jsonwebtoken.verify(jwt, publicKey, {
      algorithms: ['RS256'],
      complete: true,
      ignoreExpiration: true,
      ignoreNotBefore: true,
    })
    return typeof payload === 'object' ? { header, claims: payload as Record<string, unknown> } : undefined
  } catch {
    return undefined
  }
}
