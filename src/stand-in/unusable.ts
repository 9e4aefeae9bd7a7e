/** Reading and writing for the stand-in: what fails names the path and what to type. */

import { lstat, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { failure, SidemintError } from '../core/errors.ts'
import { readIfThere, reasonOf } from '../core/read-file.ts'
import { type ReplaceOptions, replaceFile } from '../core/replace-file.ts'

export const KEY_FILE = 'stand-in.key'

export function read(path: string): Promise<Buffer | undefined> {
  return attempt(path, async () => (await readIfThere(path))?.content)
}

export function write(path: string, content: string | Buffer, options: ReplaceOptions): Promise<void> {
  return attempt(path, () => replaceFile(path, content, options))
}

/** Throws STAND_IN_UNUSABLE for an error of the system. */
export async function attempt<T>(path: string, act: () => Promise<T>): Promise<T> {
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

export function unusable(path: string, reason: string, fix: string): SidemintError {
  return failure('STAND_IN_UNUSABLE', { path, reason }, { fix })
}
