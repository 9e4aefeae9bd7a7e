/** Writing a file in one step: who reads it sees the old content or the new, never a part. */

import { randomUUID } from 'node:crypto'
import { link, lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

export interface ReplaceOptions {
  /** Whatever the umask is. */
  mode: number
  /** How the draft becomes the file. Default: a rename, over a file that is there. */
  publish?: (draft: string) => Promise<void>
}

/** Throws the system's error, and leaves no draft behind. */
export async function replaceFile(
  path: string,
  content: string | Uint8Array,
  { mode, publish = (draft) => rename(draft, path) }: ReplaceOptions,
): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`
  try {
    await using file = await open(draft, 'wx', mode)
    await file.chmod(mode)
    await file.writeFile(content)
    await file.sync()
    await publish(draft)
  } finally {
    await rm(draft, { force: true })
  }
}

/**
 * A way to publish a draft where there is no file. Two processes may do so at once: the first wins, and both must read the
 * file then. Some mounted file systems have no hard links; there a rename is used.
 */
export function publishFirst(path: string): (draft: string) => Promise<void> {
  return (draft) =>
    link(draft, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') await rename(draft, path)
    })
}

/** A younger draft may be one that is still written. */
const OLD_MS = 3_600_000

/** Removes the drafts of this file that a process left when it was killed, where that is possible. */
export async function removeOldDrafts(path: string, nowMs: number): Promise<void> {
  const [folder, start] = [dirname(path), `${basename(path)}.`]
  const names = await readdir(folder).catch(() => [])
  const drafts = names.filter((name) => name.startsWith(start) && /^[\da-f-]{36}\.tmp$/.test(name.slice(start.length)))
  for (const draft of drafts.map((name) => join(folder, name))) {
    const stats = await lstat(draft).catch(() => undefined)
    if (stats?.isFile() && nowMs - stats.mtimeMs > OLD_MS) await rm(draft, { force: true }).catch(() => {})
  }
}
