/** Writing a file in one step: who reads it sees the old content or the new, never a part. */

import { randomUUID } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'

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
