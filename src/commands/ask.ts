/** Asks a metadata server, for the commands. */

import { failure, readErrorBody } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'
import { misuse } from './arguments.ts'

/** A server gives up on Google after ten seconds, and then says why: with less time that answer would not be read. */
const TIMEOUT_MS = 15_000
/**
 * For the question at `/`, which is asked first, so that nobody waits longer for a server that is stuck. The answer needs
 * nobody but the server and comes at once; the seconds are for a busy host.
 */
const SILENCE_MS = 3_000

/** The server's answer for the path. Follows no redirect. Throws as `fetch` does. */
export function ask(
  server: string,
  path: string,
  { headers = new Headers(), timeoutMs = TIMEOUT_MS }: { headers?: Headers | undefined; timeoutMs?: number } = {},
): Promise<Response> {
  return fetch(new URL(path, server), {
    headers: { ...Object.fromEntries(headers), 'Metadata-Flavor': 'Google' },
    signal: AbortSignal.timeout(timeoutMs),
    redirect: 'manual',
  })
}

export interface JsonOptions {
  headers?: Headers
  /** A field that the answer has. */
  field: string
  /** Why the server refuses, where it does not say so itself. */
  unsaid: string
  /** Codes for which an argument is to blame, each with that argument. */
  misused?: Readonly<Record<string, string>>
}

/** Why a server that answers is not ours. */
const OTHER = 'something else listens there'

/** The answer with all of its body. Throws NO_SERVER where either does not come. */
export async function readAnswer(url: string, asked: Promise<Response>): Promise<{ response: Response; body: string }> {
  try {
    const response = await asked
    return { response, body: await response.text() }
  } catch (error) {
    throw failure('NO_SERVER', { url, reason: reasonOf(error) })
  }
}

/**
 * Undefined where a metadata server answers, else why not. Throws NO_SERVER where nothing comes in time, from a server that
 * is stuck or from an address that nobody has: it may be a server of ours, whose tokens no others should replace.
 */
export async function whyNoServer(server: string): Promise<string | undefined> {
  try {
    return isMetadataServer(await ask(server, '/', { timeoutMs: SILENCE_MS })) ? undefined : OTHER
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError') return reasonOf(error)
    const reason = `nothing came within ${SILENCE_MS / 1_000} s`
    const fix = 'restart what listens there, or name another server with --server'
    throw failure('NO_SERVER', { url: server, reason }, { fix })
  }
}

/** The data that the named server answers with. Throws NO_SERVER, SERVER_REFUSED, and SETTINGS_INVALID for a code of `misused`. */
export async function askJson<T>(
  server: string,
  path: string,
  { headers, field, unsaid, misused }: JsonOptions,
): Promise<T> {
  const reason = await whyNoServer(server)
  if (reason !== undefined) throw failure('NO_SERVER', { url: server, reason })
  const { response, body } = await readAnswer(server, ask(server, path, { headers }))
  const other = () => failure('NO_SERVER', { url: server, reason: OTHER })
  if (response.ok) {
    const data = isMetadataServer(response) ? parseJson(body) : undefined
    if (typeof data !== 'object' || data === null || !(field in data)) throw other()
    return data as T
  }
  const refusal = readErrorBody(body)
  if (refusal === undefined && !isMetadataServer(response)) throw other()
  const argument = misused?.[refusal?.code ?? '']
  if (refusal !== undefined && argument !== undefined) throw misuse(`${argument}: ${refusal.message}`)
  const values = { url: server, status: String(response.status), reason: refusal?.message ?? unsaid }
  throw failure('SERVER_REFUSED', values, { fix: refusal?.fix })
}

/** Why `ask` threw, in a few words. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string } }
  return cause?.code ?? message
}

/** The same for an order of the control API. */
export function order(server: string, name: string, body: object, secret: string): Promise<Response> {
  return fetch(new URL(`/_sidemint/control/${name}`, server), {
    method: 'POST',
    headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: 'manual',
  })
}

/** Whether a metadata server answered, ours or Google's. */
export function isMetadataServer({ headers }: Response): boolean {
  return headers.get('metadata-flavor') === 'Google'
}
