/** What some files hold at one time, so that all who read them read the same. */

import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs'

/** The bytes of a file. Throws Unreadable. */
export type ReadFile = (path: string) => Buffer

/** The message is the reason in a few words, without the path. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable'
}

/** A file that is read again and again, while requests wait, is not longer: thousands of services fit in it. */
const MOST_BYTES = 4_000_000

export interface Snapshot {
  /** The same each time that it is asked for. */
  read: ReadFile
  /** Reads these now, where they were not read before. Never throws. */
  see(paths: readonly string[]): void
  /** Whether both have seen these files, and seen the same. What cannot be read is the same while the reason is. */
  equals(other: Snapshot, paths: readonly string[]): boolean
  /** What was seen in a file; undefined where it was not read. */
  seen(path: string): Buffer | Unreadable | undefined
}

/** Each file is read when it is first asked for. */
export function takeSnapshot(readFile: ReadFile = readRegularFile): Snapshot {
  const found = new Map<string, Buffer | Unreadable>()
  const look = (path: string): Buffer | Unreadable => {
    const content = found.get(path) ?? attempt(readFile, path)
    found.set(path, content)
    return content
  }
  return {
    read(path) {
      const content = look(path)
      if (content instanceof Unreadable) throw content
      return content
    },
    see: (paths) => paths.forEach(look),
    equals: (other, paths) => paths.every((path) => isSame(found.get(path), other.seen(path))),
    seen: (path) => found.get(path),
  }
}

function attempt(read: ReadFile, path: string): Buffer | Unreadable {
  try {
    return read(path)
  } catch (error) {
    return error instanceof Unreadable ? error : new Unreadable(String(error))
  }
}

function isSame(one: Buffer | Unreadable | undefined, other: Buffer | Unreadable | undefined): boolean {
  if (one === undefined || other === undefined) return false
  if (one instanceof Unreadable || other instanceof Unreadable) return String(one) === String(other)
  return one.equals(other)
}

function readRegularFile(path: string): Buffer {
  // A pipe would keep everybody waiting for whoever writes to it.
  return readPath(path, { refusal: 'it is not a file that can be read again' })
}

/** For a command that reads a file once: it may be a pipe, as `<(…)` of a shell is, and the command waits for its end. */
export function readFileOrPipe(path: string): Buffer {
  return readPath(path, { refusal: 'it is neither a file nor a pipe', readPipe: readToEnd })
}

function readToEnd(path: string): Buffer {
  const pipe = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(MOST_BYTES + 1)
    let length = 0
    for (let got = -1; got !== 0; length += got) got = readSync(pipe, bytes, length, bytes.length - length, null)
    if (length > MOST_BYTES) throw new Unreadable(`it has more than ${MOST_BYTES} bytes`)
    return bytes.subarray(0, length)
  } finally {
    closeSync(pipe)
  }
}

function readPath(path: string, { refusal, readPipe }: { refusal: string; readPipe?: ReadFile }): Buffer {
  try {
    const status = statSync(path)
    if (status.isFIFO() && readPipe !== undefined) return readPipe(path)
    if (!status.isFile()) throw new Unreadable(refusal)
    if (status.size > MOST_BYTES) throw new Unreadable(`it has ${status.size} bytes, more than ${MOST_BYTES}`)
    return readFileSync(path)
  } catch (error) {
    if (error instanceof Unreadable) throw error
    throw new Unreadable((error as NodeJS.ErrnoException).code ?? 'it cannot be read')
  }
}
