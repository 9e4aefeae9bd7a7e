/** Where sidemint keeps files between processes. */

import { rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** `~/.cache/sidemint`, which need not exist. */
export function cacheDirectory(env: NodeJS.ProcessEnv): string {
  return join(env.HOME || homedir(), '.cache', 'sidemint')
}

/**
 * The directory without a login for the gcloud of clients. Each server has its own, since gcloud remembers there what a
 * server answered (docs/wire.md, "gcloud").
 */
export function clientGcloudDirectory(env: NodeJS.ProcessEnv, url: string): string {
  return join(
    cacheDirectory(env),
    'cloudsdk',
    new URL(url).host.replace(/^localhost\b/, '127.0.0.1').replace(/[^\w.-]/g, '-'),
  )
}

/**
 * Removes what gcloud remembers there: whether there is a metadata server, and access tokens, also those that a server
 * gave before it was restarted (docs/wire.md, "gcloud"). What cannot be removed stays.
 */
export function forgetGcloud(directory: string): void {
  for (const name of ['gce', 'access_tokens.db']) {
    try {
      rmSync(join(directory, name), { force: true })
    } catch {}
  }
}
