/** `sidemint curl URL`: curl with a token for the URL's origin. */

import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'
import { plainly } from '../core/schemas.ts'
import { childEnv } from '../env/child.ts'
import { makeTemporaryDirectory } from '../env/directory.ts'
import { type Arguments, type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import type { Io } from './command.ts'
import { findLeak, readCurlOptions, readUrl } from './curl-arguments.ts'
import { execute } from './execute.ts'
import { obtainToken, readUser, USER_FLAG, type Wanted } from './token.ts'

const CURLS_OWN = "curl's own arguments follow the URL: sidemint curl https://ledger.example -i"

const SHAPE: CommandShape = {
  name: 'curl',
  usage: "curl [flags] URL [curl's arguments]",
  summary: `Runs curl with an ID token for the URL's origin, which it gets as \`sidemint token\` does. What follows the URL is curl's:
sidemint curl https://ledger-abc123-uc.a.run.app/entries -d @entry.json
The token goes to that URL alone: a second one, --next, --config, --proxy and --location-trusted are refused,
and --resolve and --connect-to where no certificate shows whose host it is (http, --insecure).`,
  flags: {
    user: USER_FLAG,
    audience: { value: 'URL', help: "who the token is for, where that is not the URL's origin" },
  },
  takes: 'an argument and the rest',
  otherFlags: `; ${CURLS_OWN}`,
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const parsed = await readArguments(SHAPE, { argv, env: io.env })
  const [text, ...rest] = parsed.rest
  if (text === undefined) throw misuse(`name the URL; ${CURLS_OWN}`)
  const url = readUrl(text)
  // Before an @ there may be a password.
  if (typeof url === 'string') throw misuse(`${text.includes('@') ? 'the URL' : plainly(text)}: ${url}`)
  const problem =
    rest.length > 0 ? findLeak(url, rest, readCurlOptions(capture('curl', ['--help', 'all'], io.env))) : undefined
  if (problem !== undefined) throw misuse(problem)
  const token = await obtainToken(readWanted(url, parsed), parsed, io)
  return withSecret(`Authorization: Bearer ${token}\n`, io.env, (path) =>
    // With --globoff braces and brackets in the URL do not mean several URLs.
    execute('curl', ['--globoff', '--header', `@${path}`, url.href, ...rest], io.env),
  )
}

function readWanted(url: URL, parsed: Arguments): Wanted {
  const { user, audience } = parsed.own
  if (typeof user === 'string') return readUser(user, parsed)
  return { audience: typeof audience === 'string' ? audience : url.origin, format: 'full' }
}

/**
 * Gives a secret to another process through a FIFO: everybody can see a process's arguments, a file would be on the disk,
 * and stdin belongs to the user.
 */
async function withSecret<T>(secret: string, env: NodeJS.ProcessEnv, use: (path: string) => Promise<T>): Promise<T> {
  const directory = makeTemporaryDirectory(env)
  const path = join(directory, 'secret')
  try {
    capture('mkfifo', ['-m', '600', path], env)
    const handedOver = writeFile(path, secret).catch(() => {})
    try {
      return await use(path)
    } finally {
      // The writer waits for a reader, which the process may never have become.
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      await handedOver
      closeSync(reader)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** What a command writes to stdout. Throws COMMAND_NOT_RUN. */
function capture(command: string, argv: readonly string[], env: NodeJS.ProcessEnv): string {
  try {
    return execFileSync(command, argv, { env: childEnv(env), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw failure('COMMAND_NOT_RUN', { command, reason: code ?? message }, { cause: error })
  }
}
