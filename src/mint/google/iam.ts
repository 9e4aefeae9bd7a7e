/** Tokens of service accounts from the IAM Credentials API (docs/minting.md, "Impersonation"). */

import { readDate } from '../../core/date.ts'
import { DEFAULT_SCOPES } from '../../core/google.ts'
import type { Token, TokenRequest } from '../../core/token.ts'
import { Refusal } from './refusal.ts'
import { garbage } from './thrown.ts'
import { idTokenOf } from './tokens.ts'
import type { Transport } from './transport.ts'

export const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'

/** A service account, and the delegates through which it is impersonated. */
export interface Impersonation {
  email: string
  delegates: readonly string[]
  /** How long its access tokens live, in seconds. Default: an hour. ID tokens always live an hour. */
  lifetimeSeconds?: number | undefined
}

export interface Iam {
  /** Throws a Refusal, or a SidemintError where the network fails. */
  generate(impersonation: Impersonation, request: TokenRequest, bearer: Token): Promise<Token>
  /** Opens a connection, which the next call uses. Throws a SidemintError where the network fails. */
  connect(): Promise<void>
}

export interface IamOptions {
  transport: Transport
  universe: string
  /** Sent as x-goog-user-project. */
  quotaProject: string | undefined
  /** Epoch ms. */
  now: () => number
}

export function createIam({ transport, universe, quotaProject, now }: IamOptions): Iam {
  const host = `iamcredentials.${universe}`

  /** The answer and the time on Google's clock: `expireTime` is by that clock, and ours may be minutes behind. */
  async function call(email: string, method: string, data: object, bearer: Token) {
    const answer = await transport.gaxios.request<Record<string, unknown>>({
      method: 'POST',
      url: `https://${host}/v1/projects/-/serviceAccounts/${encodeURI(email)}:${method}`,
      headers: {
        authorization: `Bearer ${bearer.value}`,
        ...(quotaProject === undefined ? {} : { 'x-goog-user-project': quotaProject }),
      },
      data,
    })
    return { data: answer.data, dateMs: readDate(answer.headers.get('date')) ?? now() }
  }

  return {
    /** `includeEmail` follows the format and `useEmailAzp` is left out, so that the claims equal Cloud Run's (docs/wire.md, "Claims"). */
    async generate({ email, delegates, lifetimeSeconds = 3600 }, request, bearer) {
      const chain = { delegates: delegates.map(resource) }
      if (request.kind === 'id') {
        const body = { ...chain, audience: request.audience, includeEmail: request.format === 'full' }
        const { data } = await call(email, 'generateIdToken', body, bearer)
        return idTokenOf(data.token, host, now)
      }
      const body = { ...chain, scope: scopesOf(request), lifetime: `${lifetimeSeconds}s` }
      const { data, dateMs } = await call(email, 'generateAccessToken', body, bearer)
      const { accessToken: value, expireTime } = data
      const endMs = readDate(expireTime)
      if (typeof value !== 'string' || endMs === undefined) throw garbage(host)
      return { value, expiresAtMs: now() + endMs - dateMs, served: 'mint' }
    },
    /**
     * By reading the API's discovery document, which anybody may
     * (cloud.google.com/iam/docs/reference/credentials/rest). Any answer will do.
     */
    async connect() {
      try {
        await transport.gaxios.request({ method: 'GET', url: `https://${host}/$discovery/rest?version=v1` })
      } catch (thrown) {
        if (!(thrown instanceof Refusal)) throw thrown
      }
    },
  }
}

/** The request's scopes, else the ones that Cloud Run's tokens have. */
export function scopesOf({ scopes }: Extract<TokenRequest, { kind: 'access' }>): readonly string[] {
  return scopes.length > 0 ? scopes : DEFAULT_SCOPES
}

/** The only form that IAM Credentials takes for delegates (docs/minting.md, "Impersonation"). */
function resource(email: string): string {
  return `projects/-/serviceAccounts/${email}`
}
