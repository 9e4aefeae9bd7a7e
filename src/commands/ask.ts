/** How the commands ask a metadata server. */

/**
 * A server gives up on Google after ten seconds. One that is not there refuses at once, and one that is there may share
 * a busy host, so that less would call it absent.
 */
const TIMEOUT_MS = 15_000

/** What the server at that URL answers for the path; a redirect is not followed. Throws as `fetch` does. */
export function ask(server: string, path: string): Promise<Response> {
  return fetch(`${server}${path}`, {
    headers: { 'Metadata-Flavor': 'Google' },
    signal: AbortSignal.timeout(TIMEOUT_MS),
    redirect: 'manual',
  })
}

/** Whether a metadata server answered, ours or Google's. */
export function isMetadataServer({ headers }: Response): boolean {
  return headers.get('metadata-flavor') === 'Google'
}
