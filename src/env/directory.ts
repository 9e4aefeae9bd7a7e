/** Where sidemint keeps files between processes. */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'

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

/** Makes that directory where it is missing. Throws DIRECTORY_UNUSABLE. */
export function makeClientGcloudDirectory(env: NodeJS.ProcessEnv, url: string): string {
  const path = clientGcloudDirectory(env, url)
  made(path, 'HOME', () => mkdirSync(path, { recursive: true, mode: 0o700 }))
  return path
}

/** A new and empty directory, which whoever asked for it removes. Throws DIRECTORY_UNUSABLE. */
export function makeTemporaryDirectory(env: NodeJS.ProcessEnv): string {
  const path = join(env.TMPDIR || tmpdir(), 'sidemint-')
  return made(path, 'TMPDIR', () => mkdtempSync(path))
}

function made<T>(path: string, variable: 'HOME' | 'TMPDIR', make: () => T): T {
  try {
    return make()
  } catch (error) {
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException
    throw failure('DIRECTORY_UNUSABLE', { path, reason: code, variable })
  }
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
