/** `sidemint env`: the variables that point every Google client at a server, in the form of a shell or a file. */

import { projectIn } from '../core/accounts.ts'
import { METADATA_ADDRESS, METADATA_NAME } from '../core/google.ts'
import { quoted } from '../core/schemas.ts'
import {
  type ClientEnv,
  createClientEnv,
  createComposeEnv,
  loginUnderHome,
  VARIABLES_UNREAD_BY,
} from '../env/client.ts'
import { forgetGcloud, makeClientGcloudDirectory } from '../env/directory.ts'
import { describeReceiver } from '../env/receiver.ts'
import { type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import { ask, isMetadataServer } from './ask.ts'
import type { Io } from './command.ts'

const SHAPE: CommandShape = {
  name: 'env',
  usage: 'env [--format shell|fish|powershell|dotenv|compose|json] [--receiver]',
  summary: `Prints the variables that point Google's clients at a server:
eval "$(sidemint env)", in fish: sidemint env --format fish | source,
in PowerShell: sidemint env --format powershell | Out-String | Invoke-Expression

No variable reaches ${VARIABLES_UNREAD_BY}:
they ask ${METADATA_NAME} or ${METADATA_ADDRESS} whatever is set. In a stack, give sidemint that address.`,
  flags: {
    format: { value: 'FORMAT', help: 'shell, fish, powershell, dotenv, compose or json (default: shell)' },
    receiver: { help: "compose: what a service needs that verifies with Google's own libraries (--stand-in)" },
  },
  takes: 'nothing',
}

const FORMATS: Record<string, (env: ClientEnv) => string> = {
  shell: (env) =>
    lines(env, (name, value) =>
      value === undefined ? `unset ${name}` : `export ${name}='${value.replaceAll("'", "'\\''")}'`,
    ),
  // https://fishshell.com/docs/current/language.html#quotes
  fish: (env) =>
    lines(env, (name, value) =>
      value === undefined ? `set -e ${name}` : `set -gx ${name} '${value.replace(/[\\']/g, '\\$&')}'`,
    ),
  // A value of $null removes the variable.
  powershell: (env) =>
    lines(env, (name, value) => `$env:${name} = ${value === undefined ? '$null' : `'${value.replaceAll("'", "''")}'`}`),
  dotenv: (env) => lines(env, (name, value = '') => `${name}=${dotenvText(value)}`),
  compose: (env) => lines(env, (name, value) => `${name}: ${value}`),
  json: (env) => `${JSON.stringify(env, (_, value) => (value === undefined ? null : value), 2)}\n`,
}

/**
 * Between single quotes Node.js and Compose take a text as it is. Between others Node.js does too, and knows no escape but
 * that of a line break between double ones; Compose replaces variables there, or knows no such quote (seen with Node.js 24,
 * Docker Compose 2.26, python-dotenv 1).
 */
function dotenvText(value: string): string {
  if (/^[\w.,:/@-]*$/.test(value)) return value
  if (/[\r\n]/.test(value)) return JSON.stringify(value)
  const quote = QUOTES.find((one) => !value.includes(one)) ?? '"'
  return `${quote}${value}${quote}`
}

const QUOTES = ["'", '"', '`']

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], { env, stdout, stderr }: Io): Promise<number> {
  const { settings, own } = await readArguments(SHAPE, { argv, env })
  const format = String(own.format ?? 'shell')
  const print = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined
  if (print === undefined) throw misuse(`--format: must be ${Object.keys(FORMATS).join(', ')}, not ${quoted(format)}`)
  if (own.receiver === true) {
    if (format !== 'compose') throw misuse('--receiver: is for --format compose')
    stdout.write(describeReceiver())
    return 0
  }
  const { server: url } = settings
  const isNeeded = format === 'compose' || !env.GOOGLE_CLOUD_PROJECT
  const project = (isNeeded && (await askProject(url, stderr))) || settings.project
  if (format === 'compose') {
    stdout.write(print(createComposeEnv(project)))
    return 0
  }
  stdout.write(print(createClientEnv({ url, emptyDirectory: emptyDirectory(env, url), env, project })))
  stderr.write(loginWarning(env))
  return 0
}

/** The variables can do without the project: nobody's shell should stand still for it. */
const PROJECT_MS = 2_000

/** The project of the server, where one answers. */
async function askProject(url: string, stderr: Io['stderr']): Promise<string | undefined> {
  try {
    const response = await ask(url, '/computeMetadata/v1/project/project-id', { timeoutMs: PROJECT_MS })
    return response.ok && isMetadataServer(response) ? projectIn(await response.text()) : undefined
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') stderr.write(silent(url))
    return undefined
  }
}

const silent = (url: string) =>
  `sidemint: the server at ${url} has not answered within ${PROJECT_MS / 1000} s, so its project is not among these. Fix: set GOOGLE_CLOUD_PROJECT, or look at the log of that server\n`

/** A warning about a login that some clients find whatever the variables say; empty where there is none. */
export function loginWarning(env: NodeJS.ProcessEnv): string {
  const path = loginUnderHome(env)
  return path === undefined
    ? ''
    : `sidemint: ${path} is there: Go programs, and Node's google-auth-library before 10.9, look under HOME only and use that login. Fix: run those with another HOME\n`
}

function emptyDirectory(env: NodeJS.ProcessEnv, url: string): string {
  const directory = makeClientGcloudDirectory(env, url)
  forgetGcloud(directory)
  return directory
}

function lines(env: ClientEnv, line: (name: string, value: string | undefined) => string): string {
  return Object.entries(env)
    .map(([name, value]) => `${line(name, value)}\n`)
    .join('')
}
