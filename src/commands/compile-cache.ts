/** Where Node.js keeps our compiled code between starts. Whoever can write there can run code as this user. */

import { lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { cacheDirectory } from '../env/directory.ts'

/**
 * Uses a directory of this user's own, or none: Node.js's default lies in the temporary directory that all users share.
 * NODE_COMPILE_CACHE, which Node.js reads before us, names another.
 */
export function useCompileCache(env: NodeJS.ProcessEnv): void {
  if (env.NODE_COMPILE_CACHE) return
  const parent = cacheDirectory(env)
  const directory = join(parent, 'compiled')
  try {
    if (isOurs(parent) && isOurs(directory)) enableCompileCache(directory)
  } catch {
    // A start without compiled code is only slower.
  }
}

/** Makes the directory where it is missing. Windows has no user ids, and keeps a home from other users itself. */
function isOurs(directory: string): boolean {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const stats = lstatSync(directory)
  const uid = process.getuid?.()
  return stats.isDirectory() && (uid === undefined || (stats.uid === uid && (stats.mode & 0o022) === 0))
}
