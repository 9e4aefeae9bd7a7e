/**
 * The directory that receivers mount. It contains only what everybody may see: the certificate, a bundle of it and the
 * system's roots for programs that take one file instead of the system's, and the same for Java. The key is elsewhere.
 */

import type { KeyObject } from 'node:crypto'
import { mkdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { getCACertificates } from 'node:tls'
import { failure, SidemintError } from '../core/errors.ts'
import { readIfThere, reasonOf } from '../core/read-file.ts'
import { replaceFile } from '../core/replace-file.ts'
import { STAND_IN_FILES } from '../env/receiver.ts'
import { certify, generateKey, isCurrent, isOurs, readCertificate, readKey } from './certificate.ts'
import { createTrustStore, isTrustStore } from './trust-store.ts'

const KEY_FILE = 'stand-in.key'

export interface DirectoryOptions {
  /** What receivers mount. */
  directory: string
  /** The signing key's file, beside which our key lies; undefined: it lies beside the directory. */
  keyFile: string | undefined
  /** Epoch ms. */
  now: () => number
  /** What else receivers trust, in PEM. Default: the system's roots. */
  roots?: () => readonly string[]
}

export interface Credentials {
  /** PEM. */
  key: string
  /** PEM. */
  certificate: string
  /** Whether receivers that run trust an older one, or none. */
  isNew: boolean
}

/** Fills the directory, and leaves alone what is good. Throws STAND_IN_UNUSABLE. */
export async function prepareDirectory({
  directory,
  keyFile,
  now,
  roots = systemRoots,
}: DirectoryOptions): Promise<Credentials> {
  const keyPath = join(dirname(resolve(keyFile ?? directory)), KEY_FILE)
  const shown = await realPathOf(directory)
  for (const path of [keyPath, ...(keyFile === undefined ? [] : [keyFile])]) {
    if (relative(shown, await realPathOf(path)).split(sep)[0] !== '..') {
      throw unusable(path, 'it would hold the private key, and receivers mount it', 'keep --key-file elsewhere')
    }
  }
  await attempt(directory, () => makeDirectory(directory))
  const certificatePath = join(directory, STAND_IN_FILES.certificate)
  const kept = await readKept(keyPath, certificatePath, now())
  const credentials = kept ?? (await make(keyPath, certificatePath, now()))
  await keepTrust(directory, [...roots().filter((pem) => pem !== credentials.certificate), credentials.certificate])
  return { ...credentials, isNew: kept === undefined }
}

/** Without links, also of what does not exist yet. */
async function realPathOf(path: string): Promise<string> {
  const absolute = resolve(path)
  const parent = dirname(absolute)
  return realpath(absolute).catch(async () =>
    parent === absolute ? absolute : join(await realPathOf(parent), basename(absolute)),
  )
}

/**
 * With its parents, one by one. Asked to make them all, Node says ENOENT where the place is read-only, and never ends
 * where nothing can be made, as in /proc (measured with 24.21).
 */
async function makeDirectory(path: string): Promise<void> {
  const make = () => mkdir(path, { mode: 0o755 })
  await make().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return
    if (error.code !== 'ENOENT') throw error
    await makeDirectory(dirname(path))
    await make()
  })
}

type Pair = Omit<Credentials, 'isNew'>

/** Undefined where there is none, where one of the two is missing or cut, and where it must be renewed. */
async function readKept(keyPath: string, certificatePath: string, nowMs: number): Promise<Pair | undefined> {
  const pem = (await read(certificatePath))?.toString() ?? ''
  const certificate = readCertificate(pem)
  if (certificate !== undefined && !isOurs(certificate)) {
    throw unusable(certificatePath, "it is somebody else's certificate", 'name a directory that holds nothing else')
  }
  const key = readKey((await read(keyPath))?.toString() ?? '')
  if (certificate === undefined || key === undefined || !isCurrent(certificate, key, nowMs)) return undefined
  return { key: pemOf(key), certificate: pem }
}

/** The certificate comes last, so that one which is there has its key. */
async function make(keyPath: string, certificatePath: string, nowMs: number): Promise<Pair> {
  const key = generateKey()
  const certificate = await certify(key, nowMs)
  await write(keyPath, pemOf(key), 0o600)
  await write(certificatePath, certificate, 0o644)
  return { key: pemOf(key), certificate }
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Node's own where the system has none. With SSL_CERT_FILE a bundle of ours may be the system's. */
function systemRoots(): string[] {
  const system = getCACertificates('system')
  const roots = (system.length > 0 ? system : getCACertificates('bundled')).map((pem) => `${pem.trim()}\n`)
  return [...new Set(roots)]
}

async function keepTrust(directory: string, certificates: readonly string[]): Promise<void> {
  const storePath = join(directory, STAND_IN_FILES.trustStore)
  const store = await read(storePath)
  if (store === undefined || !isTrustStore(store, certificates)) {
    await write(storePath, createTrustStore(certificates), 0o644)
  }
  const bundlePath = join(directory, STAND_IN_FILES.bundle)
  const bundle = certificates.join('')
  if ((await read(bundlePath))?.toString() !== bundle) await write(bundlePath, bundle, 0o644)
}

function read(path: string): Promise<Buffer | undefined> {
  return attempt(path, async () => (await readIfThere(path))?.content)
}

function write(path: string, content: string | Buffer, mode: number): Promise<void> {
  return attempt(path, () => replaceFile(path, content, { mode }))
}

/** Throws STAND_IN_UNUSABLE for an error of the system. */
async function attempt<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act()
  } catch (error) {
    throw error instanceof SidemintError ? error : await explain(path, reasonOf(error))
  }
}

async function explain(path: string, code: string): Promise<Error> {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return unusable(path, `the disk is full (${code})`, `make room on it: df -h ${dirname(path)}`)
    case 'EROFS':
      return unusable(
        path,
        `it is read-only (${code})`,
        'mount the directory and that of the key file writable into the service of sidemint; only receivers mount it read-only',
      )
    case 'ENOTDIR':
      return unusable(path, `${dirname(path)} is not a directory`, 'name a directory')
    case 'EACCES':
    case 'EPERM':
      return explainRights(path, code)
    default:
      return unusable(path, code, 'name a directory that this user can make or write to')
  }
}

async function explainRights(path: string, code: string): Promise<Error> {
  const owner = await ownerOf(dirname(path))
  const me = process.getuid?.()
  const reason =
    owner === me
      ? `its directory may not be written to (${code})`
      : `its directory belongs to the user ${owner}, and this is ${me} (${code})`
  if (basename(path) === KEY_FILE) {
    const fix = `name a --key-file in a directory that the user ${me} may write to: this key lies beside it`
    return unusable(path, reason, fix)
  }
  if (owner === me) return unusable(path, reason, `chmod u+rwx ${dirname(path)}`)
  return unusable(path, reason, `chown ${me} ${dirname(path)}, or run as its owner, in compose: user: "${owner}"`)
}

/** Of a directory that cannot be looked at: the owner of the one above it. */
async function ownerOf(directory: string): Promise<number> {
  const stats = await stat(directory).catch(() => undefined)
  return stats?.uid ?? ownerOf(dirname(resolve(directory)))
}

function unusable(path: string, reason: string, fix: string): SidemintError {
  return failure('STAND_IN_UNUSABLE', { path, reason }, { fix })
}
