/**
 * A real metadata server as a source, for a sidemint that runs on Google's machines. It asks its configured host by
 * itself, since the library's client reads GCE_METADATA_HOST, which may point back at us.
 */

import { failure } from '../errors.ts'
import { readClaims, type Token, type TokenRequest, type TokenSource } from '../token.ts'
import { MARKER } from '../wire.ts'
import { BOUNDS, type Bounds, OutOfTime, retrying } from './bounded.ts'

export interface MetadataSourceOptions {
  /** Host and port. */
  host: string
  /** The principal that stands for the machine's own account. */
  ownPrincipal: string
  /** Hears the server's clock, epoch ms, with every answer. */
  onDate: (serverMs: number) => void
  /** Epoch ms. */
  now: () => number
  bounds?: Bounds
}

export interface MetadataSource extends TokenSource {
  /** The machine's own account; undefined where the server does not say it within `EMAIL_TIMEOUT_MS`. */
  email(): Promise<string | undefined>
}

/** Asked at start, which must not wait for a server that is away. */
const EMAIL_TIMEOUT_MS = 1_000

export function createMetadataSource({
  host,
  ownPrincipal,
  onDate,
  now,
  bounds = BOUNDS,
}: MetadataSourceOptions): MetadataSource {
  async function ask(principal: string, key: string, signal: AbortSignal | undefined): Promise<string> {
    const account = principal === ownPrincipal ? 'default' : principal
    const url = `http://${host}/computeMetadata/v1/instance/service-accounts/${account}/${key}`
    const limit = AbortSignal.timeout(bounds.totalMs)
    const total = signal === undefined ? limit : AbortSignal.any([limit, signal])
    return retrying(bounds, total, isPassing, async (attempt) => {
      const headers = { 'Metadata-Flavor': 'Google', [MARKER]: '1' }
      const response = await fetch(url, { headers, signal: attempt, redirect: 'error' })
      const body = await response.text()
      onDate(Date.parse(response.headers.get('date') ?? ''))
      if (!response.ok) throw refusal(response.status, account)
      if (response.headers.get('metadata-flavor') !== 'Google') throw failure('UPSTREAM_GARBAGE', { host })
      return body
    }).catch((error: unknown) => {
      throw error instanceof OutOfTime ? failure('UPSTREAM_TIMEOUT', { host }) : unreachable(error)
    })
  }

  function refusal(status: number, account: string): Error {
    if (status === 404) return failure('ACCOUNT_NOT_FOUND', { target: account })
    if (status === 429) return failure('RATE_LIMITED', { host })
    if (status === 408 || status >= 500) return failure('UPSTREAM_UNAVAILABLE', { host, status: String(status) })
    return failure('UPSTREAM_REFUSED', { host, status: String(status), reason: 'the metadata server gave no token' })
  }

  function unreachable(error: unknown): unknown {
    const { cause } = error as { cause?: { code?: string } }
    if (!(error instanceof TypeError)) return error
    return failure('NETWORK_DOWN', { host, reason: cause?.code ?? 'no connection', proxy: 'a proxy is not asked' })
  }

  async function idToken(
    audience: string,
    request: TokenRequest,
    format: string,
    signal?: AbortSignal,
  ): Promise<Token> {
    const value = await ask(request.principal, `identity?${new URLSearchParams({ audience, format })}`, signal)
    const exp = readClaims(value)?.exp
    if (typeof exp !== 'number') throw failure('UPSTREAM_GARBAGE', { host })
    return { value, expiresAtMs: exp * 1000, served: 'mint' }
  }

  async function accessToken(request: TokenRequest, scopes: readonly string[], signal?: AbortSignal): Promise<Token> {
    const query = scopes.length === 0 ? '' : `?${new URLSearchParams({ scopes: scopes.join(',') })}`
    const body = parsed(await ask(request.principal, `token${query}`, signal))
    const { access_token: value, expires_in: seconds } = body ?? {}
    if (typeof value !== 'string' || typeof seconds !== 'number') throw failure('UPSTREAM_GARBAGE', { host })
    return { value, expiresAtMs: now() + seconds * 1000, served: 'mint' }
  }

  return {
    email: () => ask(ownPrincipal, 'email', AbortSignal.timeout(EMAIL_TIMEOUT_MS)).catch(() => undefined),
    mint: (request, signal) =>
      request.kind === 'id'
        ? idToken(request.audience, request, request.format, signal)
        : accessToken(request, request.scopes, signal),
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof TypeError || (error as { transient?: boolean }).transient === true
}

function parsed(body: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
