/** A pipe that a shell writes a text into, as of `<(…)`. */

import { execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { scratch } from './run.ts'

export function pipeWith(t: ExecutionContext, text: string): string {
  const path = join(scratch, `pipe-${crypto.randomUUID()}`)
  execFileSync('mkfifo', [path])
  const writer = spawn('sh', ['-c', 'printf %s "$0" > "$1"', text, path], { stdio: 'ignore' })
  t.teardown(() => writer.kill())
  return path
}
