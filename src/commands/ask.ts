/** Asks a metadata server, for the commands. */

import { failure } from '../core/errors.ts'

/**
 * A server gives up on Google after ten seconds. An absent server refuses at once, but one that is there may share a busy
 * host: with less time it would count as absent.
 */
const TIMEOUT_MS = 15_000

/** The server's answer for the path. Follows no redirect. Throws as `fetch` does. */
export function ask(server: string, path: string, more?: Headers): Promise<Response> {
  return fetch(new URL(path, server), {
    headers: { ...Object.fromEntries(more ?? []), 'Metadata-Flavor': 'Google' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: 'manual',
  })
}

/** The same, where the server was named. Throws NO_SERVER. */
export async function askNamed(server: string, path: string, more?: Headers): Promise<Response> {
  try {
    return await ask(server, path, more)
  } catch (error) {
    throw failure('NO_SERVER', { url: server, reason: reasonOf(error) })
  }
}

/** Why `ask` threw, in a few words. */
export function reasonOf(error: unknown): string {
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
