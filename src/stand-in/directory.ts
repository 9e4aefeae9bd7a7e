/**
 * The directory that receivers mount. It contains only what everybody may see: the certificate, a bundle of it and the
 * system's roots for programs that take one file instead of the system's, and the same for Java. The key is elsewhere.
 */

import { createPrivateKey } from 'node:crypto'
import { access, chmod, constants, lstat, mkdir, realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { getCACertificates } from 'node:tls'
import { publishFirst, removeOldDrafts } from '../core/replace-file.ts'
import { STAND_IN_FILES } from '../env/receiver.ts'
import { certify, generateKey, isCurrent, isOurs, readCertificate, readKey } from './certificate.ts'
import { createTrustStore, isTrustStore } from './trust-store.ts'
import { attempt, KEY_FILE, read, unusable, write } from './unusable.ts'

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
  await refuseOthers(certificatePath)
  const { pem: key } = await keep(keyPath, 0o600, {
    isGood: (pem) => readKey(pem) !== undefined,
    async make() {
      // Else a key would be left beside a directory that is refused.
      await attempt(certificatePath, () => access(dirname(certificatePath), constants.W_OK))
      return generateKey().export({ type: 'pkcs8', format: 'pem' }).toString()
    },
  })
  const keyObject = createPrivateKey(key)
  const { pem: certificate, isNew } = await keep(certificatePath, 0o644, {
    isGood(pem) {
      const certificate = readCertificate(pem)
      return certificate !== undefined && isOurs(certificate) && isCurrent(certificate, keyObject, nowMs)
    },
    make: () => certify(keyObject, nowMs),
  })
  return { key, certificate, isNew }
}

async function refuseOthers(path: string): Promise<void> {
  const certificate = readCertificate((await read(path))?.toString() ?? '')
  if (certificate === undefined || isOurs(certificate)) return
  throw unusable(path, "it is somebody else's certificate", 'name a directory that holds nothing else')
}

interface Kind {
  isGood(pem: string): boolean
  make(): string | Promise<string>
}

/** One to write, one to read, one for a server that came in between, and one for a successor that is not good. */
const MOST_TURNS = 4

/** Named as a draft, so that it goes as an old one does where a server was killed before it could remove it. */
function successorOf(path: string, turn: number): string {
  return `${path}.00000000-0000-0000-0000-${String(turn).padStart(12, '0')}.tmp`
}

/**
 * What is there and good stays. Servers that start at once end with the same, whether there is nothing or something bad:
 * each offers what it made as the successor, the first one's is taken by all of them, and it is removed only once it is in
 * its place. Who offers another one after that finds a good file. A successor that is not good, which a server left that
 * was killed, is passed over by all of them: each turn has another name.
 */
async function keep(path: string, mode: number, { isGood, make }: Kind): Promise<{ pem: string; isNew: boolean }> {
  const good = async (file: string) => {
    const pem = (await read(file))?.toString()
    return pem !== undefined && isGood(pem) ? pem : undefined
  }
  let made: string | undefined
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    const pem = await good(path)
    if (pem !== undefined) return { pem, isNew: turn > 0 }
    made ??= await make()
    const successor = successorOf(path, turn)
    await write(path, made, { mode, publish: publishFirst(successor) })
    const chosen = await good(successor)
    if ((await good(path)) === undefined && chosen !== undefined) await write(path, chosen, { mode })
    if ((await good(path)) !== undefined) await rm(successor, { force: true })
  }
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
