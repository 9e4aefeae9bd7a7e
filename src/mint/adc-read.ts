/** Reads the Application Default Credentials. */

import { closeSync, constants, createReadStream, openSync, type Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Socket } from 'node:net'
import { dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { unquoted } from '../config/layers.ts'
import { CATALOGUE, failure, SidemintError } from '../core/errors.ts'
import { type Adc, parseAdc } from './adc.ts'
import { malformed } from './adc-json.ts'
import { type AdcPlace, loginFix, oddity } from './adc-place.ts'

/**
 * Throws CREDENTIALS_MISSING, CREDENTIALS_UNREADABLE, CREDENTIALS_MALFORMED and CREDENTIALS_NOT_A_PATH; and
 * CREDENTIALS_NOT_READ (503) where the system has trouble, or nobody has written into a pipe yet.
 */
export async function readAdc(place: AdcPlace): Promise<Adc> {
  const bytes = await readBytes(place)
  try {
    return parseAdc(place.name, bytes)
  } catch (error) {
    if (!(error instanceof SidemintError) || error.fix !== CATALOGUE.CREDENTIALS_MALFORMED.fix) throw error
    throw new SidemintError(error.code, error.status, error.message, rewriteFix(place))
  }
}

function rewriteFix(place: AdcPlace): string {
  if (place.isGcloudFile) return CATALOGUE.CREDENTIALS_MALFORMED.fix
  return place.content === undefined
    ? loginFix(place)
    : 'put the content of a credential file into SIDEMINT_CREDENTIALS, or what `base64 -w0` makes of it'
}

async function readBytes(place: AdcPlace): Promise<Buffer> {
  const { name, path, content } = place
  if (content !== undefined) return decodeContent(content)
  if (path === undefined) throw failure('CREDENTIALS_NOT_A_PATH', { variable: name })
  try {
    const found = await stat(path)
    return found.isFIFO() ? await readPipe(path, found) : await readAll(path, createReadStream(path))
  } catch (error) {
    throw await explain(error as NodeJS.ErrnoException, place, path)
  }
}

/** A credential has a few thousand bytes. A device or a disk image, named by mistake, would fill the memory. */
const MOST_BYTES = 1_000_000

async function readAll(path: string, stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    chunks.push(chunk)
    length += chunk.length
    if (length > MOST_BYTES) throw malformed(path, 'it is larger than 1 MB')
  }
  return Buffer.concat(chunks)
}

/** Base64 of JSON begins with none of these, and has no dot. */
const PATH = /^([/~.]|[A-Za-z]:\\)\S|^[^\s{"]+\.json$/
const CONTENT_FIX =
  "put that file's content there, or name it in GOOGLE_APPLICATION_CREDENTIALS and unset SIDEMINT_CREDENTIALS"

/** Throws CREDENTIALS_MALFORMED for a path. JSON, or base64 of it in either alphabet and with line breaks; also in quotes, which env files keep. */
function decodeContent(content: string): Buffer {
  const bare = unquoted(content.trim())
  if (PATH.test(bare)) throw malformed('SIDEMINT_CREDENTIALS', 'it looks like the path of a file', CONTENT_FIX)
  return /^[{["]/.test(bare) ? Buffer.from(bare) : Buffer.from(bare, 'base64')
}

async function explain(error: NodeJS.ErrnoException, place: AdcPlace, path: string): Promise<Error> {
  const { code } = error
  if (code === undefined || error.syscall === undefined) return error
  const odd = oddity(path)
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
    case 'ELOOP':
      return odd === undefined
        ? failure(
            'CREDENTIALS_MISSING',
            { path, why: place.why },
            place.isGcloudFile ? {} : { fix: `look at the spelling of that path; or ${loginFix(place)}` },
          )
        : failure('CREDENTIALS_MISSING', { path, why: `${place.why}; the path ${odd}` }, { fix: PATH_FIX })
    case 'EISDIR':
      return malformed(
        path,
        'it is a directory, as Docker makes one where the file to mount is missing',
        'name the file in it; or remove it, put the file in its place and create the container anew',
      )
    case 'EACCES':
    case 'EPERM':
      return failure('CREDENTIALS_UNREADABLE', { path, me: uidOf(process), ...(await describeOwner(path, code)) })
    default:
      return failure('CREDENTIALS_NOT_READ', { path, reason: code })
  }
}

const PATH_FIX =
  'write the whole path, as `ls` would take it, without quotes: GOOGLE_APPLICATION_CREDENTIALS=/path/to/file.json'

/** Who owns it, or the directory that this user may not enter. */
async function describeOwner(path: string, code: string): Promise<{ reason: string; uid: string }> {
  for (const [what, place] of [
    ['its', path],
    ["its directory's", dirname(path)],
  ] as const) {
    const found = await stat(place).catch(() => undefined)
    if (found === undefined) continue
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
    return { reason: `${what} owner is uid ${found.uid}, mode ${mode}`, uid: String(found.uid) }
  }
  return { reason: code, uid: '$(id -u)' }
}

function uidOf({ geteuid }: NodeJS.Process): string {
  return geteuid === undefined ? 'this user' : `uid ${geteuid()}`
}

/** While nobody writes, the server must start and answer what needs no token. */
const PIPE_PATIENCE_MS = 1_000

/** A pipe gives its content only once, so it is kept: several parts of ours read `<(cat key.json)`. */
const pipes = new Map<string, Promise<Buffer>>()

async function readPipe(path: string, { dev, ino }: Stats): Promise<Buffer> {
  const key = `${path} ${dev} ${ino}`
  const content = pipes.get(key) ?? drain(path)
  pipes.set(key, content)
  content.then(
    ({ length }) => length === 0 && pipes.delete(key),
    () => pipes.delete(key),
  )
  const patience = new AbortController()
  const late = sleep(PIPE_PATIENCE_MS, 'late' as const, { signal: patience.signal }).catch(() => 'late' as const)
  const outcome = await Promise.race([content, late]).finally(() => patience.abort())
  if (outcome === 'late') {
    throw failure('CREDENTIALS_NOT_READ', { path, reason: 'it is a pipe that nobody has written into yet' })
  }
  return outcome
}

/** Does not block: a thread of Node's pool would wait for a writer for ever and keep the process from ending. */
async function drain(path: string): Promise<Buffer> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  let socket: Socket
  try {
    socket = new Socket({ fd, readable: true })
  } catch (error) {
    closeSync(fd)
    throw error
  }
  socket.unref()
  return readAll(path, socket)
}
