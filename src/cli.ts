/** The process around the command line: its compiled code, variables, streams, signals and exit code. */

import { useCompileCache } from './commands/compile-cache.ts'
import { METADATA_VARIABLES } from './core/google.ts'

/** After a stop, what cannot be called off, a look-up of a name above all, keeps the process no longer than this. */
const LINGER_MS = 100

const { env, stdout, stderr } = process

/** A reader that went away (`serve 2>&1 | head -1`) ends nobody's server; data that could not be written is a failure. */
function surviveClosedStreams(): void {
  stderr.on('error', () => {})
  stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    if (code === 'EPIPE') return
    stderr.write(`sidemint: stdout cannot be written: ${message}\n`)
    process.exit(1)
  })
}

/** A sidemint that asks itself would wait for itself, so these never reach our own process. */
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

async function start(): Promise<void> {
  surviveClosedStreams()
  const pointers = takePointers()
  let stopped = false
  const { main } = await import('./commands/main.ts')
  process.exitCode = await main(process.argv.slice(2), {
    env,
    stdout,
    stderr,
    readStdin: async () => (await process.stdin.setEncoding('utf8').toArray()).join(''),
    pointers,
    onFault: (reader) => process.on('unhandledRejection', reader).on('uncaughtException', reader),
    stopSignal: () => stopSignal().finally(() => (stopped = true)),
  })
  if (stopped) setTimeout(() => process.exit(), LINGER_MS).unref()
}

// Before any command is loaded: a start is a third shorter with its code compiled.
useCompileCache(env)
void start()
