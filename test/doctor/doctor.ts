/** `sidemint doctor` as the command line runs it. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { main } from '../../src/commands/main.ts'
import { METADATA_VARIABLES } from '../../src/core/google.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { COMPILE_CACHE } from '../compile-cache.ts'

const CLI = new URL('../../src/cli.ts', import.meta.url).pathname

export interface Outcome {
  exitCode: number | null
  stdout: string
  stderr: string
}

/** What runs it, and in which directory. */
type Runner = (argv: string[], env: NodeJS.ProcessEnv, piped: string, home: string) => Promise<Outcome>

/** Runs with an empty HOME, no variable but those given, and no program of this host: Docker takes longer than all else. */
export async function doctor(
  t: ExecutionContext,
  flags: string[],
  env: NodeJS.ProcessEnv = {},
  piped = '',
  runner: Runner = inThisProcess,
): Promise<Outcome> {
  const home = mkdtempSync(join(tmpdir(), 'sidemint-doctor-'))
  t.teardown(() => rmSync(home, { recursive: true, force: true }))
  return runner(['doctor', ...flags], { HOME: home, PATH: '/nonexistent', ...env }, piped, home)
}

/** The findings of `--json`. */
export async function findings(t: ExecutionContext, flags: string[], env: NodeJS.ProcessEnv = {}, runner?: Runner) {
  const { exitCode, stdout, stderr } = await doctor(t, [...flags, '--json'], env, '', runner)
  t.is(stderr, '')
  const all = JSON.parse(stdout) as Finding[]
  t.is(exitCode, all.some(({ status }) => status === 'fail') ? 1 : 0)
  return { all, of: (check: string) => all.filter((finding) => finding.check === check), text: stdout }
}

/** A test file that uses it works in an empty directory, where no settings and no stack lie. */
async function inThisProcess(argv: string[], all: NodeJS.ProcessEnv, piped: string): Promise<Outcome> {
  const env = { ...all }
  const pointers: Record<string, string> = {}
  for (const name of METADATA_VARIABLES) {
    if (env[name]) pointers[name] = env[name]
    delete env[name]
  }
  let [stdout, stderr] = ['', '']
  const exitCode = await main(argv, {
    env,
    pointers,
    readStdin: async () => piped,
    stopSignal: () => new Promise(() => {}),
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: (text) => (stderr += text) },
  })
  return { exitCode, stdout, stderr }
}

/** For what Node.js reads once, at the start of a process. */
export async function inAProcess(
  argv: string[],
  env: NodeJS.ProcessEnv,
  piped: string,
  home: string,
): Promise<Outcome> {
  const child = spawn(process.execPath, [CLI, ...argv], {
    cwd: home,
    env: { ...COMPILE_CACHE, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.on('error', () => {}).end(piped)
  const [stdout, stderr] = await Promise.all(
    [child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray()),
  )
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  return { exitCode: child.exitCode, stdout: (stdout ?? []).join(''), stderr: (stderr ?? []).join('') }
}

/** Makes an empty directory the working one, for the tests of a process. */
export function workInEmptyDirectory(): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-doctor-'))
  process.chdir(directory)
  return () => rmSync(directory, { recursive: true, force: true })
}
