/** `sidemint doctor` in a process of its own, as a user runs it. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Finding } from '../../src/doctor/finding.ts'
import { COMPILE_CACHE } from '../compile-cache.ts'

const CLI = new URL('../../src/cli.ts', import.meta.url).pathname

export interface Outcome {
  exitCode: number | null
  stdout: string
  stderr: string
}

/** Runs in an empty directory that is HOME too, with no variable but those given. */
export async function doctor(t: ExecutionContext, flags: string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const home = mkdtempSync(join(tmpdir(), 'sidemint-doctor-'))
  t.teardown(() => rmSync(home, { recursive: true, force: true }))
  const child = spawn(process.execPath, [CLI, 'doctor', ...flags], {
    cwd: home,
    env: { ...COMPILE_CACHE, HOME: home, PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray()),
  )
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return { exitCode: child.exitCode, stdout: (stdout ?? []).join(''), stderr: (stderr ?? []).join('') }
}

/** The findings of `--json`. */
export async function findings(t: ExecutionContext, flags: string[], env: NodeJS.ProcessEnv = {}) {
  const { exitCode, stdout, stderr } = await doctor(t, [...flags, '--json'], env)
  t.is(stderr, '')
  const all = JSON.parse(stdout) as Finding[]
  t.is(exitCode, all.some(({ status }) => status === 'fail') ? 1 : 0)
  return { all, of: (check: string) => all.filter((finding) => finding.check === check), text: stdout }
}
