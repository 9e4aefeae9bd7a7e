/** Tokens of service accounts from the IAM Credentials API, with the access token of whoever may act as them. */

import type { Token, TokenRequest } from '../../core/token.ts'
import { garbage } from './thrown.ts'
import { idTokenOf } from './tokens.ts'
import type { Transport } from './transport.ts'

export const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
const DEFAULT_SCOPES = [CLOUD_PLATFORM, 'https://www.googleapis.com/auth/userinfo.email']

/** A service account, and those through which it is reached. */
export interface Impersonation {
  email: string
  delegates: readonly string[]
  /** Of its access tokens, in seconds. Default: an hour. ID tokens live an hour, whatever is asked. */
  lifetimeSeconds?: number | undefined
}

export interface Iam {
  /** Throws a Refusal, or a SidemintError where the network fails. */
  generate(impersonation: Impersonation, request: TokenRequest, bearer: Token): Promise<Token>
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

  /** The answer, and Google's clock at its time: `expireTime` is by that, and ours may be minutes behind. */
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
    const dateMs = Date.parse(answer.headers.get('date') ?? '')
    return { data: answer.data, dateMs: Number.isNaN(dateMs) ? now() : dateMs }
  }

  return {
    /** `includeEmail` follows the format and `useEmailAzp` is left out, so the claims equal Cloud Run's. */
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
      const lifeMs = Date.parse(String(expireTime)) - dateMs
      if (typeof value !== 'string' || Number.isNaN(lifeMs)) throw garbage(host)
      return { value, expiresAtMs: now() + lifeMs, served: 'mint' }
    },
  }
}

/** What an access token is for where the caller names no scopes. */
export function scopesOf({ scopes }: Extract<TokenRequest, { kind: 'access' }>): readonly string[] {
  return scopes.length > 0 ? scopes : DEFAULT_SCOPES
}

/** Google takes delegates only in this form (GenerateIdTokenRequest of the IAM Credentials API). */
function resource(email: string): string {
  return `projects/-/serviceAccounts/${email}`
}
