/** What takes long to make and may be the same in every run, kept beside the compiled code of the tests. */

import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const DIRECTORY = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'fake-google')

export const keptPath = (name: string) => join(DIRECTORY, name)

/** The text of that name, or a new one where none can be read: in a container nothing can be kept either. */
export async function kept(name: string, make: () => Promise<string>): Promise<string> {
  const path = keptPath(name)
  const before = await readFile(path, 'utf8').catch(() => undefined)
  if (before !== undefined) return before
  const text = await make()
  await write(path, text).catch(() => {})
  return text
}

/** Whole or not at all, and for this user alone. */
async function write(path: string, text: string): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}`
  await mkdir(DIRECTORY, { recursive: true })
  await writeFile(draft, text, { mode: 0o600 })
  await rename(draft, path)
}
