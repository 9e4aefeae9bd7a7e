/**
 * A real metadata server as a source, for a sidemint that runs on Google's machines. It asks its configured host by
 * itself and by no proxy, since the library's client reads GCE_METADATA_HOST, which may point back at us.
 */

import { type IncomingMessage, request } from 'node:http'
import { standardQuotaProject } from '../config/standard.ts'
import { failure } from '../core/errors.ts'
import { readClaims, type Token, type TokenRequest, type TokenSource } from '../core/token.ts'
import { MARKER } from '../http/wire.ts'
import { BOUNDS, type Bounds, bounded, OutOfTime, retrying, timed } from './bounded.ts'
import { explainRefusal } from './google/failures.ts'
import type { Minter } from './google/mint.ts'
import { Refusal } from './google/refusal.ts'
import { ANSWER_LIMIT, explainThrown, garbage, isPassing } from './google/thrown.ts'
import { universeOf } from './universe.ts'

export interface MetadataSourceOptions {
  /** Where the standard variables are read from. */
  env: NodeJS.ProcessEnv
  /** Host and port. */
  host: string
  /** The delegation chain to a principal; whoever is not the machine's own account is impersonated. */
  delegatesOf: (principal: string) => readonly string[]
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

interface Reply {
  body: string
  /** The server's clock, epoch ms. */
  dateMs: number
}

export function createMetadataSource(options: MetadataSourceOptions): MetadataSource {
  const { env, host, delegatesOf, onDate, now, bounds = BOUNDS } = options
  const quotaProject = standardQuotaProject(env)
  let ownEmail: string | undefined
  let minter: Promise<Minter> | undefined

  async function ask(key: string, total: AbortSignal): Promise<Reply> {
    const url = new URL(`http://${host}/computeMetadata/v1/instance/service-accounts/default/${key}`)
    try {
      return await retrying(bounds, total, isPassing, () => timed(bounds, total, (signal) => get(url, signal)))
    } catch (thrown) {
      const error = explainThrown(thrown, { url, proxy: undefined })
      throw error instanceof Refusal ? explain(error) : error
    }
  }

  async function get(url: URL, signal: AbortSignal): Promise<Reply> {
    const response = await send(url, signal)
    let data = ''
    for await (const chunk of response.setEncoding('utf8')) {
      data += chunk
      if (data.length > ANSWER_LIMIT) throw garbage(host)
    }
    const { statusCode: status = 0, headers } = response
    const dateMs = Date.parse(headers.date ?? '')
    if (!Number.isNaN(dateMs)) onDate(dateMs)
    if (status !== 200)
      throw { response: { status, data: parsed(data), headers: new Headers({ location: headers.location ?? '' }) } }
    if (headers['metadata-flavor'] !== 'Google') throw garbage(host)
    return { body: data, dateMs: Number.isNaN(dateMs) ? now() : dateMs }
  }

  function explain(refusal: Refusal): Error {
    if (refusal.oauth?.error === 'SELF_LOOP') return failure('SELF_LOOP', {})
    if (refusal.status === 404) return failure('ACCOUNT_NOT_FOUND', { target: `of its own on the machine of ${host}` })
    return explainRefusal(refusal, { holder: holder(), form: 'machine', kind: 'access' })
  }

  /** A metadata server keeps tokens itself, so what is left of one is told by its clock and not by our age of it. */
  async function idToken(audience: string, format: string, total: AbortSignal): Promise<Token> {
    const { body: value, dateMs } = await ask(`identity?${new URLSearchParams({ audience, format })}`, total)
    const exp = readClaims(value)?.exp
    if (typeof exp !== 'number') throw garbage(host)
    return { value, expiresAtMs: now() + exp * 1000 - dateMs, served: 'mint' }
  }

  async function accessToken(scopes: readonly string[], total: AbortSignal): Promise<Token> {
    const query = scopes.length === 0 ? '' : `?${new URLSearchParams({ scopes: scopes.join(',') })}`
    const { access_token: value, expires_in: seconds } = parsed((await ask(`token${query}`, total)).body) ?? {}
    if (typeof value !== 'string' || typeof seconds !== 'number') throw garbage(host)
    return { value, expiresAtMs: now() + seconds * 1000, served: 'mint' }
  }

  async function email(): Promise<string | undefined> {
    ownEmail ??= await ask('email', AbortSignal.timeout(EMAIL_TIMEOUT_MS)).then(
      ({ body }) => body.trim(),
      () => undefined,
    )
    return ownEmail
  }

  function holder() {
    return { name: ownEmail ?? "the machine's account", member: `serviceAccount:${ownEmail ?? 'EMAIL'}` }
  }

  /** Google's library is loaded by the first impersonation. */
  async function createImpersonator(): Promise<Minter> {
    const { createMinter } = await import('./google/mint.ts')
    const client = {
      accessToken: (scopes: readonly string[]) => bounded(bounds, undefined, (total) => accessToken(scopes, total)),
      holder,
    }
    return createMinter({
      credential: { kind: 'machine', client },
      universe: universeOf(undefined, env),
      quotaProject,
      allowUserTokens: true,
      bounds,
      onDate,
      now,
    })
  }

  return {
    email,
    async mint(asked: TokenRequest, closing?: AbortSignal): Promise<Token> {
      const { principal } = asked
      if (principal !== undefined && principal !== (await email())) {
        minter ??= createImpersonator()
        return (await minter).mint(asked, { own: false, principal, delegates: delegatesOf(principal) }, closing)
      }
      return bounded(bounds, closing, (total) =>
        asked.kind === 'id' ? idToken(asked.audience, asked.format, total) : accessToken(asked.scopes, total),
      ).catch((thrown: unknown) => {
        throw thrown instanceof OutOfTime ? failure('UPSTREAM_TIMEOUT', { host, way: 'without a proxy' }) : thrown
      })
    },
  }
}

/** `agent: false`: the global agent may have been given a proxy (NODE_USE_ENV_PROXY), which cannot reach this address. */
function send(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const headers = { 'Metadata-Flavor': 'Google', [MARKER]: '1' }
  return new Promise((resolve, reject) => {
    request(url, { headers, signal, agent: false }, resolve).on('error', reject).end()
  })
}

function parsed(body: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
