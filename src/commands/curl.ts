/** `sidemint curl URL`: curl with a token for the URL's origin. */

import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'
import { plainly } from '../core/schemas.ts'
import { type Arguments, type CommandShape, helpFor, misuse, readArguments } from './arguments.ts'
import type { Io } from './command.ts'
import { execute } from './execute.ts'
import { obtainToken, readUser, USER_FLAG, type Wanted } from './token.ts'

const SHAPE: CommandShape = {
  name: 'curl',
  usage: "curl [flags] URL [curl's arguments]",
  summary: `Runs curl with an ID token for the URL's origin, got as \`sidemint token\` does. What follows the URL is curl's:
sidemint curl https://ledger-abc123-uc.a.run.app/entries -d @entry.json`,
  flags: {
    user: USER_FLAG,
    audience: { value: 'URL', help: "who the token is for, where that is not the URL's origin" },
  },
  takes: 'an argument and the rest',
}

export const help = () => helpFor(SHAPE)

export async function run(argv: readonly string[], io: Io): Promise<number> {
  const parsed = await readArguments(SHAPE, { argv, env: io.env })
  const [url, ...rest] = parsed.rest
  const token = await obtainToken(readWanted(url, parsed), parsed, io)
  return withSecret(`Authorization: Bearer ${token}\n`, (path) =>
    execute('curl', ['--header', `@${path}`, String(url), ...rest], io.env),
  )
}

function readWanted(url: string | undefined, parsed: Arguments): Wanted {
  const { user, audience } = parsed.own
  const origin = /^https?:\/\//i.test(url ?? '') ? URL.parse(String(url))?.origin : undefined
  if (origin === undefined) {
    throw misuse(
      url === undefined
        ? "name the URL; curl's own arguments follow it: sidemint curl https://ledger.example -i"
        : `${plainly(url)}: must be a URL with http:// or https://; curl's own arguments follow it`,
    )
  }
  if (typeof user === 'string') return readUser(user, parsed)
  return { audience: typeof audience === 'string' ? audience : origin, format: 'full' }
}

/**
 * Gives a secret to another process by a FIFO: everybody sees a process's arguments, a file would be on the disk,
 * and its stdin is the caller's.
 */
async function withSecret<T>(secret: string, use: (path: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-'))
  const path = join(directory, 'secret')
  try {
    makeFifo(path)
    const handedOver = writeFile(path, secret).catch(() => {})
    try {
      return await use(path)
    } finally {
      // The writer waits for a reader, also where the process never became one.
      const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
      await handedOver
      closeSync(reader)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function makeFifo(path: string): void {
  try {
    execFileSync('mkfifo', ['-m', '600', path], { stdio: 'ignore' })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw failure('COMMAND_NOT_RUN', { command: 'mkfifo', reason: code ?? message })
  }
}
