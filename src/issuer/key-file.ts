/**
 * The file that keeps the local issuer's keys, in PEM. Without a rotation it is one private key, which may be the
 * user's own. A rotation writes the key that signs from then on, the one that signs after it, and the public half of
 * each that signed before, with the time until which it is published.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { failure, SidemintError } from '../core/errors.ts'
import { readIfThere, reasonOf } from '../core/read-file.ts'
import { publishFirst, replaceFile } from '../core/replace-file.ts'
import { generateSigningKey, MODULUS_BITS, type PublicKey, publicKeyOf, type SigningKey, signingKey } from './key.ts'

/** A key that no longer signs. */
export interface RetiredKey extends PublicKey {
  /** Epoch ms; by then its last token has expired. */
  untilMs: number
}

export interface KeySet {
  signing: SigningKey
  /** Published before it signs, so that receivers which keep keys for an hour already know it (docs/minting.md, "The local issuer"). */
  next?: SigningKey
  retired: readonly RetiredKey[]
}

/**
 * The keys in the file. Where there is no file, a new key is written there with mode 0600. A file that is unusable is an
 * error and never replaced: receivers may trust the key in it. A mode wider than 0600 is only a warning, since Windows
 * mounts and Kubernetes secrets cannot have 0600. Throws KEY_FILE_BROKEN and KEY_FILE_UNREADABLE.
 */
export async function loadKeys(path: string, warn: (text: string) => void): Promise<KeySet> {
  const { pem, mode } = (await read(path)) ?? (await create(path))
  if ((mode & 0o077) !== 0) {
    warn(
      `${path} has mode 0${(mode & 0o777).toString(8)}: others on this machine may read the key. Fix: chmod 600 ${path}`,
    )
  }
  return parse(path, pem)
}

/** Replaces the file in one step, and leaves it as it is where that fails. Throws KEY_FILE_UNREADABLE. */
export async function replaceKeys(path: string, keys: KeySet): Promise<void> {
  // A Kubernetes secret is a symlink, and a rename would put a file in its place.
  await write(await realpath(path).catch(() => path), keys)
}

interface KeyFile {
  pem: string
  mode: number
}

async function read(path: string): Promise<KeyFile | undefined> {
  try {
    const file = await readIfThere(path)
    return file && { pem: file.content.toString(), mode: file.mode }
  } catch (error) {
    throw unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): unknown {
  if (error instanceof SidemintError) return error
  return failure('KEY_FILE_UNREADABLE', { path, reason: reasonOf(error) }, { cause: error })
}

/** Two processes may start at once with one path: the first to link its file wins, and both read that one. */
async function create(path: string): Promise<KeyFile> {
  const signing = await generateSigningKey()
  await write(path, { signing, retired: [] }, publishFirst(path))
  const kept = await read(path)
  if (kept === undefined) throw unreadable(path, new Error('the file is gone again'))
  return kept
}

async function write(path: string, keys: KeySet, publish?: (draft: string) => Promise<void>): Promise<void> {
  try {
    await replaceFile(path, format(keys), { mode: 0o600, ...(publish && { publish }) })
  } catch (error) {
    throw unreadable(path, error)
  }
}

const NEXT = 'Signs next:'
const RETIRED = 'Published until'
const NEXT_BLOCK = new RegExp(`^${NEXT}\n(-----BEGIN PRIVATE KEY-----[^]+?-----END PRIVATE KEY-----)`, 'm')
const RETIRED_BLOCK = new RegExp(`^${RETIRED} (\\S+):\n(-----BEGIN PUBLIC KEY-----[^]+?-----END PUBLIC KEY-----)`, 'gm')

/** Text between the blocks is allowed (RFC 7468 §2). A program that wants one private key reads the first. */
function format({ signing, next, retired }: KeySet): string {
  const secret = ({ privateKey }: SigningKey) => privateKey.export({ type: 'pkcs8', format: 'pem' })
  return [
    secret(signing),
    ...(next === undefined ? [] : [`${NEXT}\n${secret(next)}`]),
    ...retired.map(
      ({ publicKey, untilMs }) =>
        `${RETIRED} ${new Date(untilMs).toISOString()}:\n${publicKey.export({ type: 'spki', format: 'pem' })}`,
    ),
  ].join('')
}

function parse(path: string, pem: string): KeySet {
  const broken = (reason: string) => failure('KEY_FILE_BROKEN', { path, reason })
  const attempt = <T>(make: () => T, reason: string): T => {
    try {
      return make()
    } catch {
      throw broken(reason)
    }
  }
  const usable = (key: KeyObject): SigningKey => {
    if (key.asymmetricKeyType !== 'rsa') throw broken(`it holds a key of type ${key.asymmetricKeyType}, not RSA`)
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    if (bits < MODULUS_BITS) throw broken(`its key has ${bits} bits`)
    return signingKey(key)
  }
  const noKey = pem.trim() === '' ? 'it is empty' : 'it holds no private key in PEM'
  const signing = usable(attempt(() => createPrivateKey(pem), noKey))
  const next = NEXT_BLOCK.exec(pem)?.[1]
  const retired = [...pem.matchAll(RETIRED_BLOCK)].map(([, until = '', key = '']) => {
    const publicKey = attempt(() => publicKeyOf(createPublicKey(key)), 'a public key in it cannot be read')
    return { ...publicKey, untilMs: Date.parse(until) }
  })
  if (next === undefined) return { signing, retired }
  return { signing, retired, next: usable(attempt(() => createPrivateKey(next), 'its next key cannot be read')) }
}
