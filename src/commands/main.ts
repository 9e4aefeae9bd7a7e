/** The table of commands, each loaded only when it is run, and how their failures are printed. */

import { asFailure, failure, type SidemintError, withFix } from '../core/errors.ts'
import { visible } from '../core/visible.ts'
import type { Command, Io } from './command.ts'

/** 0 is success; 1 a failure; 2 misuse; as in a shell, 126 a command that cannot be run, 127 one that is not found. */
const FAILED = 1
const MISUSED = 2
const NOT_RUN: Readonly<Record<string, number>> = { EACCES: 126, ENOENT: 127 }

export const COMMANDS: Record<string, { summary: string; load: () => Promise<Command> }> = {
  serve: { summary: 'run the metadata server (the default)', load: () => import('./serve.ts') },
  token: { summary: 'print one ID token', load: () => import('./token.ts') },
  curl: { summary: 'run curl with a token for its URL', load: () => import('./curl.ts') },
  env: { summary: 'print the variables that point clients at a server', load: () => import('./env.ts') },
  exec: { summary: 'run a command with a server of its own', load: () => import('./exec.ts') },
  doctor: {
    summary: 'check credentials, IAM, clock, network and wiring',
    load: () => import('./doctor.ts'),
  },
  explain: { summary: 'say why a service takes a token or refuses it', load: () => import('./explain.ts') },
  grants: { summary: 'print the invoker grants that a run needed', load: () => import('./grants.ts') },
  gate: { summary: "Cloud Run's front door before services", load: () => import('./gate.ts') },
  healthcheck: {
    summary: 'exit 0 when the process on this host serves',
    load: () => import('./healthcheck.ts'),
  },
}

/** Runs the command that `argv` names. Returns its exit code, and prints on `stderr` why it failed. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const [first = '', ...others] = argv
  if (first === '--version') {
    const { version } = await import('../core/version.ts')
    io.stdout.write(`${version}\n`)
    return 0
  }
  const isFlag = first === '' || first.startsWith('-')
  const name = isFlag ? 'serve' : first
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  try {
    if (command === undefined) {
      io.stderr.write(`sidemint: unknown command ${first}\n${overview()}`)
      return MISUSED
    }
    if (first === '--help' || first === '-h') {
      io.stdout.write(`${overview()}\n${(await command.load()).help()}`)
      return 0
    }
    const loaded = await command.load()
    const arguments_ = isFlag ? argv : others
    if (asksForHelp(arguments_)) {
      io.stdout.write(loaded.help())
      return 0
    }
    return await loaded.run(arguments_, io)
  } catch (thrown) {
    const error = failureOf(thrown, io.env)
    io.stderr.write(explain(error))
    return exitCodeOf(error)
  }
}

/** Koa reads the working directory as it loads, and other libraries may: theirs is then an error of the system, without a word of it. */
function failureOf(thrown: unknown, { PWD = 'of this shell' }: NodeJS.ProcessEnv): SidemintError {
  const error = asFailure(thrown)
  if (error.code !== 'INTERNAL') return error
  try {
    process.cwd()
    return error
  } catch (cause) {
    return failure('DIRECTORY_GONE', { path: visible(PWD) }, { cause })
  }
}

function exitCodeOf({ code, cause }: SidemintError): number {
  if (code === 'SETTINGS_INVALID') return MISUSED
  const { code: reason = '' } = (code === 'COMMAND_NOT_RUN' && (cause as NodeJS.ErrnoException)) || {}
  return NOT_RUN[reason] ?? FAILED
}

function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map((name) => name.length))
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`)
  return `Usage: sidemint [command] [flags]\n\n${rows.join('\n')}\n\nsidemint COMMAND --help names the command's flags.\n`
}

function explain(error: SidemintError): string {
  const lines = error.message.split('\n')
  if (lines.length === 1) return `sidemint: ${error.code}: ${withFix(error)}\n`
  return `sidemint: ${error.code}: \n${lines.map((line) => `  ${line}\n`).join('')}Fix: ${error.fix}\n`
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end < 0 ? argv : argv.slice(0, end)).some((argument) => argument === '--help' || argument === '-h')
}
