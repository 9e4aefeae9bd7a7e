/** The process around a command: its compiled code, variables, streams, signals and exit code. */

import { useCompileCache } from './commands/compile-cache.ts'
import { joinWrites } from './commands/joined.ts'
import { METADATA_VARIABLES } from './core/google.ts'

/** After a stop, work that cannot be cancelled (above all a name look-up) keeps the process no longer than this. */
const LINGER_MS = 100

const { env, stdout } = process
const stderr = joinWrites(process.stderr)
process.on('exit', stderr.flush)

/** A reader that went away (`serve 2>&1 | head -1`) does not end the server; data that could not be written is a failure. */
function surviveClosedStreams(): void {
  process.stderr.on('error', () => {})
  stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') return
    stderr.write(`sidemint: stdout cannot be written: ${message}\n`)
    process.exit(1)
  })
}

/** Takes the variables that point clients at a server out of our own process: a sidemint that asks itself would wait for itself. */
function takePointers(): Record<string, string> {
  const pointers: Record<string, string> = {}
  for (const name of METADATA_VARIABLES) {
    const value = env[name]
    if (value !== undefined && value !== '') pointers[name] = value
    delete env[name]
  }
  return pointers
}

function stopSignal(): Promise<string> {
  return new Promise((resolve) => {
    const signals = ['SIGTERM', 'SIGINT'] as const
    const stop = (signal: NodeJS.Signals) => {
      for (const name of signals) process.off(name, stop)
      resolve(signal)
    }
    for (const name of signals) process.on(name, stop)
  })
}

async function readStdin(most = Number.POSITIVE_INFINITY): Promise<string> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk
    if (text.length > most) break
  }
  return text
}

async function start(): Promise<void> {
  surviveClosedStreams()
  const pointers = takePointers()
  let stopped = false
  const { main } = await import('./commands/main.ts')
  process.exitCode = await main(process.argv.slice(2), {
    env,
    // On a terminal, what was said before the data stays before it.
    stdout: {
      write(text) {
        stderr.flush()
        stdout.write(text)
      },
      isTTY: stdout.isTTY,
    },
    stderr,
    readStdin,
    stdinIsTerminal: process.stdin.isTTY === true,
    pointers,
    onFault: (reader) => process.on('unhandledRejection', reader).on('uncaughtException', reader),
    stopSignal: () => stopSignal().finally(() => (stopped = true)),
  })
  if (stopped) setTimeout(() => process.exit(), LINGER_MS).unref()
}

// Before any command is loaded: with compiled code a start is a third shorter (measured).
useCompileCache(env)
void start()
