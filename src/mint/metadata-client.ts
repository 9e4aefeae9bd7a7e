/**
 * Asks a metadata server about its machine's own account: without a proxy, and not through Google's client, which reads
 * GCE_METADATA_HOST and could be pointed back at us (docs/minting.md, "Loaders that are not used").
 */

import { type IncomingMessage, request } from 'node:http'
import { readDate } from '../core/date.ts'
import { failure } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'
import { readClaims, type Token } from '../core/token.ts'
import { MARKER } from '../http/wire.ts'
import { type Bounds, retrying, timed } from './bounded.ts'
import { explainRefusal, type Holder } from './google/failures.ts'
import { Refusal } from './google/refusal.ts'
import { ANSWER_LIMIT, explainThrown, garbage, isPassing } from './google/thrown.ts'

export interface MetadataClientOptions {
  /** Host and port. */
  host: string
  bounds: Bounds
  /** Called for every answer with the server's clock (its Date header), epoch ms. */
  onDate: (serverMs: number) => void
  /** Epoch ms. */
  now: () => number
}

/** `total` ends a call. All but `email` throw a SidemintError or OutOfTime. */
export interface MetadataClient {
  idToken(audience: string, format: string, total: AbortSignal): Promise<Token>
  accessToken(scopes: readonly string[], total: AbortSignal): Promise<Token>
  /** Undefined where the server does not answer in time. */
  email(): Promise<string | undefined>
  holder(): Holder
}

/** It is asked at the start, which must not wait for a server that is away. */
const EMAIL_TIMEOUT_MS = 1_000

interface Reply {
  body: string
  /** The server's clock, epoch ms. */
  dateMs: number
}

type Ask = (key: string, total: AbortSignal) => Promise<Reply>

export function createMetadataClient(options: MetadataClientOptions): MetadataClient {
  const { host, now } = options
  const ask = createAsk(options, holder)
  let ownEmail: string | undefined

  function holder(): Holder {
    return { name: ownEmail ?? "the machine's account", member: `serviceAccount:${ownEmail ?? 'EMAIL'}` }
  }

  return {
    holder,
    /** A metadata server keeps tokens itself, so what is left of one counts by the server's clock, not from the arrival. */
    async idToken(audience, format, total) {
      const { body: value, dateMs } = await ask(`identity?${new URLSearchParams({ audience, format })}`, total)
      const exp = readClaims(value)?.exp
      if (typeof exp !== 'number') throw garbage(host)
      return { value, expiresAtMs: now() + exp * 1000 - dateMs, served: 'mint' }
    },
    async accessToken(scopes, total) {
      const query = scopes.length === 0 ? '' : `?${new URLSearchParams({ scopes: scopes.join(',') })}`
      const { body } = await ask(`token${query}`, total)
      const { access_token: value, expires_in: seconds } = (parseJson(body) ?? {}) as Record<string, unknown>
      if (typeof value !== 'string' || typeof seconds !== 'number') throw garbage(host)
      return { value, expiresAtMs: now() + seconds * 1000, served: 'mint' }
    },
    async email() {
      ownEmail ??= await ask('email', AbortSignal.timeout(EMAIL_TIMEOUT_MS)).then(
        ({ body }) => body.trim(),
        () => undefined,
      )
      return ownEmail
    },
  }
}

function createAsk({ host, bounds, onDate, now }: MetadataClientOptions, holder: () => Holder): Ask {
  async function get(url: URL, signal: AbortSignal): Promise<Reply> {
    const response = await send(url, signal)
    let data = ''
    for await (const chunk of response.setEncoding('utf8')) {
      data += chunk
      if (data.length > ANSWER_LIMIT) throw garbage(host)
    }
    const { statusCode: status = 0, headers } = response
    const dateMs = readDate(headers.date)
    if (dateMs !== undefined) onDate(dateMs)
    if (status !== 200)
      throw { response: { status, data: parseJson(data), headers: new Headers({ location: headers.location ?? '' }) } }
    if (headers['metadata-flavor'] !== 'Google') throw garbage(host)
    return { body: data, dateMs: dateMs ?? now() }
  }

  function explain(refusal: Refusal): Error {
    if (refusal.oauth?.error === 'SELF_LOOP') return failure('SELF_LOOP', {})
    if (refusal.status === 404) return failure('ACCOUNT_NOT_FOUND', { target: `of its own on the machine of ${host}` })
    return explainRefusal(refusal, { holder: holder(), form: 'machine', kind: 'access' })
  }

  return async (key, total) => {
    const url = new URL(`http://${host}/computeMetadata/v1/instance/service-accounts/default/${key}`)
    try {
      return await retrying(bounds, total, isPassing, () => timed(bounds, total, (signal) => get(url, signal)))
    } catch (thrown) {
      const error = explainThrown(thrown, { url, proxy: undefined })
      throw error instanceof Refusal ? explain(error) : error
    }
  }
}

/** `agent: false`: the global agent may have been given a proxy (NODE_USE_ENV_PROXY), which cannot reach this address. */
function send(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const headers = { 'Metadata-Flavor': 'Google', [MARKER]: '1' }
  return new Promise((resolve, reject) => {
    request(url, { headers, signal, agent: false }, resolve).on('error', reject).end()
  })
}
