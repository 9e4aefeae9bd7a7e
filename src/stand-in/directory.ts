/**
 * The directory that receivers mount. It contains only what everybody may see: the certificate, a bundle of it and the
 * system's roots for programs that take one file instead of the system's, and the same for Java. The key is elsewhere.
 */

import { createPrivateKey } from 'node:crypto'
import { chmod, lstat, mkdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { getCACertificates } from 'node:tls'
import { failure, SidemintError } from '../core/errors.ts'
import { readIfThere, reasonOf } from '../core/read-file.ts'
import { publishFirst, type ReplaceOptions, removeOldDrafts, replaceFile } from '../core/replace-file.ts'
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
  /** Called with a warning about what other users cannot read. */
  warn: (text: string) => void
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
  warn,
}: DirectoryOptions): Promise<Credentials> {
  const keyPath = join(dirname(resolve(keyFile ?? directory)), KEY_FILE)
  const shown = await realPathOf(directory)
  for (const path of [keyPath, ...(keyFile === undefined ? [] : [keyFile])]) {
    if (relative(shown, await realPathOf(path)).split(sep)[0] !== '..') {
      throw unusable(path, 'it would hold the private key, and receivers mount it', 'keep --key-file elsewhere')
    }
  }
  const files = Object.values(STAND_IN_FILES).map((name) => join(directory, name))
  await attempt(directory, () => makeDirectory(directory))
  await showToAll(directory, files, warn)
  for (const path of [keyPath, ...files]) await removeOldDrafts(path, now())
  const { key, certificate, isNew } = await keepPair(keyPath, join(directory, STAND_IN_FILES.certificate), now())
  await keepTrust(directory, [...roots().filter((pem) => pem !== certificate), certificate])
  return { key, certificate, isNew }
}

/** Without links, also of what does not exist yet. */
async function realPathOf(path: string): Promise<string> {
  const absolute = resolve(path)
  const parent = dirname(absolute)
  return realpath(absolute).catch(async () =>
    parent === absolute ? absolute : join(await realPathOf(parent), basename(absolute)),
  )
}

/** Whatever the umask is; that of its parents is left to it. */
async function makeDirectory(path: string): Promise<void> {
  if (await makeMissing(path)) await chmod(path, 0o755).catch(() => {})
}

/**
 * Whether it was missing. Its parents are made one by one: asked to make them all, Node says ENOENT where the place is
 * read-only, and never ends where nothing can be made, as in /proc (measured with 24.21).
 */
async function makeMissing(path: string): Promise<boolean> {
  const make = () =>
    mkdir(path, { mode: 0o755 }).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') return false
        throw error
      },
    )
  return make().catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' || dirname(path) === path) throw error
    await makeMissing(dirname(path))
    return make()
  })
}

/** Receivers run as other users. A directory that was there before may hold more than ours, so its mode stays. */
async function showToAll(directory: string, files: readonly string[], warn: (text: string) => void): Promise<void> {
  const say = (path: string, mode: number, wanted: string) =>
    warn(
      `${path} has mode 0${(mode & 0o777).toString(8)}: receivers that run as another user cannot read it. Fix: chmod ${wanted} ${path}`,
    )
  const { mode } = await attempt(directory, () => stat(directory))
  if ((mode & 0o005) === 0) say(directory, mode, '755')
  for (const path of files) {
    const stats = await lstat(path).catch(() => undefined)
    if (!stats?.isFile() || (stats.mode & 0o444) === 0o444) continue
    await chmod(path, 0o644).catch(() => say(path, stats.mode, '644'))
  }
}

/** The certificate comes last, so that one which is there has its key. Another directory may have one by the same key. */
async function keepPair(keyPath: string, certificatePath: string, nowMs: number): Promise<Credentials> {
  const { pem: key } = await keep(keyPath, 0o600, {
    isGood: (pem) => readKey(pem) !== undefined,
    make: () => generateKey().export({ type: 'pkcs8', format: 'pem' }).toString(),
  })
  const keyObject = createPrivateKey(key)
  const { pem: certificate, isNew } = await keep(certificatePath, 0o644, {
    isGood(pem) {
      const certificate = readCertificate(pem)
      if (certificate === undefined) return false
      if (isOurs(certificate)) return isCurrent(certificate, keyObject, nowMs)
      throw unusable(certificatePath, "it is somebody else's certificate", 'name a directory that holds nothing else')
    },
    make: () => certify(keyObject, nowMs),
  })
  return { key, certificate, isNew }
}

interface Kind {
  isGood(pem: string): boolean
  make(): string | Promise<string>
}

/** What is there and good stays. Of two servers that start at once where nothing is, both use what the first made. */
async function keep(path: string, mode: number, { isGood, make }: Kind): Promise<{ pem: string; isNew: boolean }> {
  const there = (await read(path))?.toString()
  if (there !== undefined && isGood(there)) return { pem: there, isNew: false }
  await write(path, await make(), { mode, ...(there === undefined && { publish: publishFirst(path) }) })
  const pem = (await read(path))?.toString() ?? ''
  if (isGood(pem)) return { pem, isNew: true }
  throw unusable(path, 'another program writes it too', 'name a directory of its own')
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
    await write(storePath, createTrustStore(certificates), { mode: 0o644 })
  }
  const bundlePath = join(directory, STAND_IN_FILES.bundle)
  const bundle = certificates.join('')
  if ((await read(bundlePath))?.toString() !== bundle) await write(bundlePath, bundle, { mode: 0o644 })
}

function read(path: string): Promise<Buffer | undefined> {
  return attempt(path, async () => (await readIfThere(path))?.content)
}

function write(path: string, content: string | Buffer, options: ReplaceOptions): Promise<void> {
  return attempt(path, () => replaceFile(path, content, options))
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
  const ownerOfFile = (await lstat(path).catch(() => undefined))?.uid ?? me
  if (owner === me && ownerOfFile !== me) {
    const reason = `it belongs to the user ${ownerOfFile}, and this is ${me} (${code})`
    return unusable(path, reason, `chown ${me} ${path}, or remove it`)
  }
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
