/** Runs programs of this host, each with a time limit. */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, resolve } from 'node:path'

export type Outcome =
  | { kind: 'done'; stdout: string }
  | { kind: 'failed'; exitCode: number; stderr: string }
  /** The program does not exist here, or this user may not run it. */
  | { kind: 'absent' }
  /** It was ended because it took too long. */
  | { kind: 'late' }
  /** It was ended because it printed more than `MOST_OUTPUT_MB`. */
  | { kind: 'flood' }

export interface ProgramOptions {
  env: NodeJS.ProcessEnv
  timeoutMs: number
}

/** A stack of a thousand services is some 2 MB. */
export const MOST_OUTPUT_MB = 16

/** Never throws. The program's output may contain secrets, so it is only parsed and never shown as it is. */
export function runProgram(
  program: string,
  words: readonly string[],
  { env, timeoutMs }: ProgramOptions,
): Promise<Outcome> {
  if (!isFound(program, env)) return Promise.resolve({ kind: 'absent' })
  // No other process gets the credentials. Compose only needs to know whether the variable is set.
  const theirs = env.SIDEMINT_CREDENTIALS ? { ...env, SIDEMINT_CREDENTIALS: 'set' } : env
  const options = {
    env: theirs,
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: MOST_OUTPUT_MB * 1024 * 1024,
  } as const
  return new Promise((resolve) => {
    const child = execFile(program, words, options, (error, stdout, stderr) => {
      if (error === null) resolve({ kind: 'done', stdout })
      else if (error.killed) resolve({ kind: 'late' })
      else if (String(error.code) === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') resolve({ kind: 'flood' })
      else if (typeof error.code === 'number') resolve({ kind: 'failed', exitCode: error.code, stderr })
      else resolve({ kind: 'absent' })
    })
    child.stdin?.on('error', () => {}).end()
  })
}

/**
 * Whether a folder of the PATH has the program. To start one that is missing costs a copy of this process (`fork`), and
 * most hosts lack three of the four programs that doctor asks. Windows adds `.exe` to the name. Without a PATH the system
 * searches folders of its own (`execvp`), so only a start can tell.
 */
function isFound(program: string, { PATH }: NodeJS.ProcessEnv): boolean {
  if (PATH === undefined) return true
  return PATH.split(delimiter).some((folder) =>
    [program, `${program}.exe`].some((name) => existsSync(resolve(folder, name))),
  )
}
