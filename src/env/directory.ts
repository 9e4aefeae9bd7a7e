/** Where sidemint keeps what outlives a process. */

import { rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** `~/.cache/sidemint`, which need not exist. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  return join(env.HOME || homedir(), '.cache', 'sidemint')
}

/**
 * The directory without a login that clients' gcloud is pointed at: one for each server, since gcloud remembers what a
 * server told it.
 */
export function clientGcloudDirectory(env: NodeJS.ProcessEnv, url: string): string {
  return join(cacheDirectory(env), 'cloudsdk', new URL(url).host.replace(/[^\w.-]/g, '-'))
}

/**
 * Removes what gcloud remembers there: for ten minutes whether there is a metadata server, and access tokens until they
 * end, also those of a server that has been started anew (measured with gcloud 528). What cannot be removed stays.
 */
export function forgetGcloud(directory: string): void {
  for (const name of ['gce', 'access_tokens.db']) {
    try {
      rmSync(join(directory, name), { force: true })
    } catch {}
  }
}
