/** Reads only regular files: a pipe waits for its writer, and a device may never end. */

import { readFile, stat } from 'node:fs/promises'

/** The text of a file. Throws the file system's errors; for another kind of file an error whose code says so. */
export async function readRegular(path: string): Promise<string> {
  await refuseOther(path)
  return readFile(path, 'utf8')
}

/** Throws as `readRegular` does, and reads nothing. */
export async function refuseOther(path: string): Promise<void> {
  if (!(await stat(path)).isFile()) throw Object.assign(new Error('not a file'), { code: NOT_A_FILE })
}

const NOT_A_FILE = 'it is a directory, a pipe or a device'
