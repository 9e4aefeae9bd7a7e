/** A language's clients, and how they are installed. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Client } from './probe.ts'

const run = promisify(execFile)

export interface Language {
  name: string
  /** Commands that must be there. */
  needs: readonly string[]
  /** Installs and builds what the probes need, at the versions of the folder's lock, or the newest. */
  prepare(newest: boolean): Promise<void>
  clients: readonly Client[]
  /** Those too heavy for every run: they run with the newest versions only. */
  scheduled?: readonly Client[]
}

/** Runs a command in a language's folder, at low priority. */
export async function build(folder: string, env: NodeJS.ProcessEnv, ...command: readonly string[]): Promise<void> {
  const cwd = join(import.meta.dirname, folder)
  await run('nice', command, { cwd, env: { ...process.env, ...env }, maxBuffer: 64 << 20 })
}
