/**
 * The public keys of one issuer, fetched when asked and kept: one fetch at a time whoever waits, a pause between
 * fetches, and keys that outlive a failing fetch. So a restarted issuer heals by itself and a flood of forged tokens
 * costs the issuer one request in five seconds.
 */

import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import http from 'node:http'

/** A key id that is not there is looked for again, and a failed fetch repeated, only after this. */
const COOLDOWN_MS = 5_000
/** The same while there are no keys at all, so that a gate that starts before its issuer does not wait long. */
const FIRST_RETRY_MS = 1_000
const FETCH_TIMEOUT_MS = 5_000
const BODY_LIMIT = 1_000_000
/** How long keys are good for by Cache-Control, within these bounds. */
const MAX_AGE_MS = { least: 60_000, default: 600_000, most: 24 * 3_600_000 }

export interface RemoteKeys {
  /** The key of that id; undefined where the issuer has none such. Throws an Error where the keys cannot be fetched. */
  find(kid: string): Promise<KeyObject | undefined>
}

/** `locate` answers the JWKS URL and is asked before each fetch; `now` in epoch ms. */
export function createRemoteKeys(locate: () => Promise<string>, now: () => number): RemoteKeys {
  let keys: Map<string, KeyObject> | undefined
  let freshUntilMs = 0
  let triedAtMs = Number.NEGATIVE_INFINITY
  let failed: Error | undefined
  let pending: Promise<void> | undefined

  async function fetchKeys(): Promise<void> {
    try {
      const { body, maxAgeMs } = await fetchJson(await locate())
      keys = readKeys(body)
      freshUntilMs = now() + maxAgeMs
      failed = undefined
    } catch (error) {
      failed = error as Error
      freshUntilMs = now() + COOLDOWN_MS
    }
    triedAtMs = now()
    pending = undefined
  }

  const refresh = () => {
    pending ??= fetchKeys()
    return pending
  }
  // A clock that is set back must not stretch the pause, hence the absolute value.
  const rested = () => Math.abs(now() - triedAtMs) >= (keys ? COOLDOWN_MS : FIRST_RETRY_MS)

  return {
    async find(kid) {
      const known = keys?.get(kid)
      if (known) {
        if (now() >= freshUntilMs) void refresh()
        return known
      }
      if (pending || rested()) await refresh()
      const key = keys?.get(kid)
      if (!key && failed) throw failed
      return key
    },
  }
}

/** The JWKS URL that the issuer's discovery document names; the document must be that issuer's own. */
export async function discoverKeysUrl(issuer: string): Promise<string> {
  const { body } = await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const { issuer: named, jwks_uri: url } = body as { issuer?: unknown; jwks_uri?: unknown }
  if (named !== issuer) throw new Error(`its discovery document names the issuer ${String(named).slice(0, 200)}`)
  if (typeof url !== 'string') throw new Error('its discovery document names no jwks_uri')
  return url
}

function readKeys(body: unknown): Map<string, KeyObject> {
  const { keys } = body as { keys?: unknown }
  if (!Array.isArray(keys)) throw new Error('the answer is no JWKS')
  const found = new Map<string, KeyObject>()
  for (const jwk of keys as JsonWebKey[]) {
    const { kid, kty, use = 'sig', alg = 'RS256' } = jwk as Record<string, unknown>
    if (typeof kid !== 'string' || kty !== 'RSA' || use !== 'sig' || alg !== 'RS256') continue
    found.set(kid, createPublicKey({ key: jwk, format: 'jwk' }))
  }
  return found
}

/**
 * By node:https and not `fetch`, which takes a proxy from the environment only if the process was started so. The
 * proxy of HTTPS_PROXY and NO_PROXY (Node 24.5 and later) is for https alone: an issuer on plain http is a neighbour.
 */
async function fetchJson(url: string): Promise<{ body: unknown; maxAgeMs: number }> {
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
  try {
    const response = await get(url, signal)
    if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`)
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > BODY_LIMIT) throw new Error(`${url} answered more than ${BODY_LIMIT} bytes`)
      chunks.push(chunk)
    }
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (typeof body !== 'object' || body === null) throw new Error(`${url} answered no JSON object`)
    return { body, maxAgeMs: maxAge(response.headers['cache-control']) }
  } catch (error) {
    if (signal.aborted) throw new Error(`${url} did not answer within ${FETCH_TIMEOUT_MS / 1000} s`)
    if (error instanceof SyntaxError) throw new Error(`${url} answered no JSON`)
    const { code, message } = error as NodeJS.ErrnoException
    throw code ? new Error(`${url}: ${code}`) : new Error(message)
  }
}

async function get(url: string, signal: AbortSignal): Promise<http.IncomingMessage> {
  const headers = { Accept: 'application/json', Connection: 'close' }
  const request = url.startsWith('https:')
    ? await secureRequest(url, { signal, headers })
    : http.get(url, { signal, headers })
  return new Promise((resolve, reject) => request.on('response', resolve).on('error', reject))
}

async function secureRequest(url: string, options: http.RequestOptions): Promise<http.ClientRequest> {
  const { default: https } = await import('node:https')
  return https.get(url, { ...options, agent: new https.Agent({ proxyEnv: process.env }) })
}

function maxAge(cacheControl = ''): number {
  const seconds = /(?:^|[\s,])max-age=(\d+)/i.exec(cacheControl)?.[1]
  if (seconds === undefined) return MAX_AGE_MS.default
  return Math.min(Math.max(Number(seconds) * 1000, MAX_AGE_MS.least), MAX_AGE_MS.most)
}
