/** Reading a file whose path somebody else chose, so that it may be missing or something else. */

import { constants, open } from 'node:fs/promises'

export interface FileRead {
  content: Buffer
  mode: number
}

export class NotAFileError extends Error {
  override name = 'NotAFileError'
  constructor() {
    super('it is a pipe or a device, not a file')
  }
}

/** Undefined where nothing is there. Throws the system's error, and NotAFileError for a pipe or a device. */
export async function readIfThere(path: string): Promise<FileRead | undefined> {
  try {
    // A pipe that nobody writes to would otherwise block, and the thread that waits keeps the process from ending.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = await file.stat()
    if (!stats.isFile() && !stats.isDirectory()) throw new NotAFileError()
    return { content: await file.readFile(), mode: stats.mode }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** What a user reads of such an error. */
export function reasonOf(error: unknown): string {
  if (error instanceof NotAFileError) return error.message
  return (error as NodeJS.ErrnoException).code ?? 'unknown reason'
}
