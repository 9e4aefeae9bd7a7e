/**
 * The local issuer's signing key: made at start or kept in a file, named by its RFC 7638 thumbprint, published as
 * a JWK.
 */

import { createHash, createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomUUID } from 'node:crypto'
import { constants, link, open, rename, rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { failure, SidemintError } from '../core/errors.ts'

const MODULUS_BITS = 2048

export interface SigningKey {
  /** RFC 7638 thumbprint, base64url. */
  kid: string
  privateKey: KeyObject
  /** The public key as a JWK with `kid`, `alg` (Java insists on it) and `use`. */
  jwk: { kty: string; n: string; e: string; kid: string; alg: 'RS256'; use: 'sig' }
}

/** A new key that lives as long as the process. Runs on a thread, so it is begun before anything else. */
export async function generateSigningKey(): Promise<SigningKey> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS })
  return signingKey(privateKey)
}

/**
 * The key in the file, or a new one written there with mode 0600 where there is no file. A file that is there and
 * unusable is an error, never replaced: receivers may trust the key in it. A mode wider than 0600 is
 * only a warning, since Windows mounts and Kubernetes secrets cannot say 0600.
 */
export async function loadSigningKey(path: string, warn: (text: string) => void): Promise<SigningKey> {
  const { pem, mode } = (await read(path)) ?? (await create(path))
  if ((mode & 0o077) !== 0) {
    warn(
      `${path} has mode 0${(mode & 0o777).toString(8)}: others on this machine may read the key. Fix: chmod 600 ${path}`,
    )
  }
  return signingKey(parse(path, pem))
}

function signingKey(privateKey: KeyObject): SigningKey {
  const { n, e } = createPublicKey(privateKey).export({ format: 'jwk' }) as { n: string; e: string }
  const kid = createHash('sha256')
    .update(JSON.stringify({ e, kty: 'RSA', n }))
    .digest('base64url')
  return { kid, privateKey, jwk: { kty: 'RSA', n, e, kid, alg: 'RS256', use: 'sig' } }
}

interface KeyFile {
  pem: string
  mode: number
}

/** Without O_NONBLOCK a pipe that nobody writes to would be waited for. */
async function read(path: string): Promise<KeyFile | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = await file.stat()
    if (!stats.isFile() && !stats.isDirectory()) {
      throw failure('KEY_FILE_UNREADABLE', { path, reason: 'it is a pipe or a device, not a file' })
    }
    return { pem: await file.readFile('utf8'), mode: stats.mode }
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw unreadable(path, error)
  }
}

function unreadable(path: string, error: unknown): unknown {
  if (error instanceof SidemintError) return error
  return failure('KEY_FILE_UNREADABLE', { path, reason: systemCode(error) }, { cause: error })
}

/** Two processes may start at once on one path: the first to link its file wins, and both read that one. */
async function create(path: string): Promise<KeyFile> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: MODULUS_BITS })
  const draft = `${path}.${randomUUID()}.tmp`
  try {
    const file = await open(draft, 'wx', 0o600)
    await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await file.sync()
    await file.close()
    await link(draft, path).catch((error: unknown) => publishWithoutLinks(error, draft, path))
    const kept = await read(path)
    if (kept === undefined) throw new Error('the file is gone again')
    return kept
  } catch (error) {
    throw unreadable(path, error)
  } finally {
    await rm(draft, { force: true })
  }
}

/** Some mounted file systems know no hard links; there a rename has to do. */
async function publishWithoutLinks(error: unknown, draft: string, path: string): Promise<void> {
  if (systemCode(error) !== 'EEXIST') await rename(draft, path)
}

function parse(path: string, pem: string): KeyObject {
  const broken = (reason: string) => failure('KEY_FILE_BROKEN', { path, reason })
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    throw broken(pem.trim() === '' ? 'it is empty' : 'it holds no private key in PEM')
  }
  if (key.asymmetricKeyType !== 'rsa') throw broken(`it holds a key of type ${key.asymmetricKeyType}, not RSA`)
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < MODULUS_BITS) throw broken(`its key has ${bits} bits`)
  return key
}

function systemCode(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown reason'
}
