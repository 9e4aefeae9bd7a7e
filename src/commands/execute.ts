/** Runs another command with our terminal and our signals, and ends with its exit code. */

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { failure } from '../core/errors.ts'
import { childEnv } from '../env/child.ts'

/** For a command that a signal ended, a shell's exit code is this plus the signal's number. */
const SIGNAL_BASE = 128

/** Throws COMMAND_NOT_RUN, with the system's error as its cause. */
export function execute(command: string, parameters: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...parameters], { env: childEnv(env), stdio: 'inherit' })
    const forward = (signal: NodeJS.Signals) => child.kill(signal)
    const signals = ['SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
    for (const signal of signals) process.on(signal, forward)
    // A terminal sends Ctrl-C to the whole process group: the command gets it too, and decides what to do.
    const ignore = () => {}
    process.on('SIGINT', ignore)
    const leave = () => {
      for (const name of signals) process.off(name, forward)
      process.off('SIGINT', ignore)
    }
    child.on('error', (cause: NodeJS.ErrnoException) => {
      leave()
      reject(failure('COMMAND_NOT_RUN', { command, reason: cause.code ?? cause.message }, { cause }))
    })
    child.on('exit', (code, signal) => {
      leave()
      resolve(code ?? SIGNAL_BASE + (signal === null ? 0 : constants.signals[signal]))
    })
  })
}
