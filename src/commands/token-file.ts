/** The file of `sidemint token --out`: written as a whole, and with `--watch` kept fresh. */

import { accessSync, constants, lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { asFailure, failure, withFix } from '../core/errors.ts'
import { replaceFile } from '../core/replace-file.ts'
import { quoted } from '../core/schemas.ts'
import { readClaims } from '../core/token.ts'
import { misuse } from './arguments.ts'

/** Readers of the file get a token that lives for at least so long. */
const KEPT_MS = 300_000
/** A fifth of what is left beyond that: a token of an hour is replaced after 11 minutes, so Google may fail for 44. */
const PARTS = 5
const SHORTEST_MS = 1_000
const LONGEST_RETRY_MS = 60_000
/** Between tries while the file's token has less left than it should. */
const URGENT_MS = 15_000
/** Timers stand still while a laptop sleeps, so the wall clock is looked at so often. */
const LOOK_EVERY_MS = 1_000

/** What a shell has redirected into a file would lose that file's place, since the file is replaced. */
const STREAM = /^\/(dev\/(std(in|out|err)$|fd\/)|proc\/)/

/** The file to replace; where the path is a link, what it leads to. Throws SETTINGS_INVALID for what cannot be a file. */
export function findTokenFile(path: string): string {
  const wrong = (problem: string) => misuse(`--out: ${quoted(path)} ${problem}`)
  if (path === '' || path.endsWith('/')) throw wrong('is not the name of a file')
  if (STREAM.test(resolve(path))) throw wrong('is a stream of this process; leave --out out, and stdout has the token')
  try {
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats === undefined) return isLink(path) ? findTokenFile(targetOf(path)) : path
    if (!stats.isFile()) throw wrong(`is ${stats.isDirectory() ? 'a directory' : 'not a regular file'}; name a file`)
    // The file itself is never opened, so its own mode has to be asked for.
    accessSync(path, constants.W_OK)
    return realpathSync(path)
  } catch (error) {
    throw unusable(path, error)
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

/** A relative target counts from the link's own directory, which may be reached by a link too. */
function targetOf(link: string): string {
  return resolve(realpathSync(dirname(link)), readlinkSync(link))
}

/** In one step and with mode 0600; what was there stays where it fails. Throws TOKEN_FILE_UNUSABLE. */
export async function writeTokenFile(path: string, token: string): Promise<void> {
  await replaceFile(path, token, { mode: 0o600 }).catch((error: unknown) => {
    throw unusable(path, error)
  })
}

function unusable(path: string, error: unknown): unknown {
  const { code, errno } = error as NodeJS.ErrnoException
  if (errno === undefined) return error
  const reason = `${getSystemErrorMessage(errno)} (${code})`
  const fix = code === 'EBUSY' ? `mount the directory ${dirname(path)}, not the file alone` : undefined
  return failure('TOKEN_FILE_UNUSABLE', { path, reason }, { cause: error, fix })
}

/** Epoch ms. Throws TOKEN_NOT_KEPT for what is not a token with an end, and for one that has expired. */
export function endOf(token: string, path: string, nowMs: number): number {
  const { exp } = readClaims(token) ?? {}
  if (typeof exp !== 'number') throw failure('TOKEN_NOT_KEPT', { path, reason: 'what came is not an ID token' })
  if (exp * 1_000 > nowMs) return exp * 1_000
  throw failure('TOKEN_NOT_KEPT', { path, reason: "what came has expired by this machine's clock" })
}

export interface TokenFileOptions {
  path: string
  /** Gets a token. Throws a SidemintError. */
  obtain: () => Promise<string>
  /** One line for people, without its end. */
  say: (text: string) => void
  /** Epoch ms of the wall clock. */
  now: () => number
  /** Resolves after that time, or once the signal aborts. */
  wait: (ms: number, signal: AbortSignal) => Promise<unknown>
  /** Once it resolves, nothing more is written. */
  stopped: Promise<unknown>
}

/**
 * Keeps a token in the file that lives for at least five minutes, until `stopped`. Failures are tried again, for ever:
 * the last token stays meanwhile. Only a failure before the first token that does not pass by itself is thrown.
 */
export async function keepTokenFile(options: TokenFileOptions): Promise<void> {
  const { path, now, say } = options
  const stop = new AbortController()
  const stopped = options.stopped.then(() => stop.abort())
  let endMs = Number.NEGATIVE_INFINITY
  let isSetBack = false
  let failures = 0
  let said = ''
  while (!stop.signal.aborted) {
    try {
      const token = await Promise.race([options.obtain(), stopped])
      if (token === undefined) return
      endMs = await replaceWith(token, isSetBack ? Number.NEGATIVE_INFINITY : endMs, options)
      ;[failures, said, isSetBack] = [0, '', false]
    } catch (thrown) {
      const error = asFailure(thrown)
      if (endMs < 0 && !error.transient) throw error
      failures += 1
      const text = `${error.code}: ${withFix(error)}`
      if (text !== said) say(`no new token for ${path}, trying again: ${text}${meanwhile(endMs)}`)
      said = text
    }
    const dueMs = now() + pauseMs(endMs - now(), failures)
    isSetBack = (await sleepUntil(dueMs, options, stop.signal)) || isSetBack
  }
}

/** `endMs`: the new one must end later. Returns the end of the token that the file has now. */
async function replaceWith(token: string, endMs: number, { path, now, say }: TokenFileOptions): Promise<number> {
  const newEndMs = endOf(token, path, now())
  if (newEndMs <= endMs) throw failure('TOKEN_NOT_KEPT', { path, reason: 'what came ends no later than what it has' })
  await writeTokenFile(path, token)
  const left = newEndMs - now() < KEPT_MS ? ', which is less than five minutes: that is all it got' : ''
  say(`wrote ${path}: its token is valid until ${utc(newEndMs)}${left}`)
  return newEndMs
}

function meanwhile(endMs: number): string {
  return endMs < 0 ? '' : ` (its token is valid until ${utc(endMs)})`
}

function utc(ms: number): string {
  return new Date(ms).toISOString().replace('.000', '')
}

/** `leftMs`: of the token in the file. */
function pauseMs(leftMs: number, failures: number): number {
  const spareMs = leftMs - KEPT_MS
  const calmMs = spareMs > 0 ? Math.max(spareMs / PARTS, SHORTEST_MS) : URGENT_MS
  return failures === 0 ? calmMs : Math.min(calmMs, LONGEST_RETRY_MS, SHORTEST_MS * 2 ** (failures - 1))
}

/** Ends early, and says so, where the clock is set back: the end of the token was read by the other time. */
async function sleepUntil(dueMs: number, { now, wait }: TokenFileOptions, signal: AbortSignal): Promise<boolean> {
  let [lastMs, atMs] = [now(), now()]
  while (atMs < dueMs && atMs >= lastMs && !signal.aborted) {
    await wait(Math.min(LOOK_EVERY_MS, dueMs - atMs), signal)
    ;[lastMs, atMs] = [atMs, now()]
  }
  return atMs < lastMs
}
