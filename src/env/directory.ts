/** Where sidemint keeps what outlives a process. */

import { homedir } from 'node:os'
import { join } from 'node:path'

/** `~/.cache/sidemint`, which need not exist. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  return join(env.HOME || homedir(), '.cache', 'sidemint')
}
