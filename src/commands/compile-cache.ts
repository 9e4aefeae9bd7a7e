/** Where Node.js keeps our compiled code between starts. Whoever may write there can run code as this user. */

import { lstatSync, mkdirSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { cacheDirectory } from '../env/directory.ts'

/**
 * Uses a directory that belongs to this user, or none: Node.js's default is in the temporary directory, which all users
 * share. NODE_COMPILE_CACHE, which Node.js reads itself, names another.
 */
export function useCompileCache(env: NodeJS.ProcessEnv): void {
  if (env.NODE_COMPILE_CACHE) return
  const parent = cacheDirectory(env)
  const directory = join(parent, 'compiled')
  try {
    if (isOurs(parent) && isOurs(directory)) enableCompileCache(directory)
  } catch {
    // Without compiled code a start is only slower.
  }
}

/** Makes the directory where it is missing. Windows has no user ids, and protects a home itself. */
function isOurs(directory: string): boolean {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const stats = lstatSync(directory)
  const uid = process.getuid?.()
  return stats.isDirectory() && (uid === undefined || (stats.uid === uid && (stats.mode & 0o022) === 0))
}
