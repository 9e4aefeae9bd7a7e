/**
 * Mints with one set of credentials. Impersonation is one call of our own to IAM Credentials with the source's access
 * token: one hop and one permission, where the library would need a grant of the account on itself.
 */

import { failure } from '../../core/errors.ts'
import type { Token, TokenRequest } from '../../core/token.ts'
import type { Credential } from '../adc.ts'
import { type Bounds, OutOfTime } from '../bounded.ts'
import { createBearers } from './bearers.ts'
import {
  type Client,
  createFederatedClient,
  createKeyClient,
  createUserClient,
  createWorkforceClient,
  idTokenOf,
} from './clients.ts'
import { type Attempt, type Caller, explainRefusal, garbage, Refusal } from './failures.ts'
import { createTransport } from './transport.ts'

export interface MinterOptions {
  credential: Credential | Machine
  /** Sent as x-goog-user-project. */
  quotaProject: string | undefined
  allowUserTokens: boolean
  bounds: Bounds
  /** Hears Google's clock, epoch ms, with every answer. */
  onDate: (googleMs: number) => void
  /** Epoch ms. */
  now: () => number
}

/** The account of the machine that this runs on, told by its metadata server. */
export interface Machine {
  kind: 'machine'
  client: Client
}

/** Whom a token is for: the credential itself, or a principal that it impersonates. */
export type Route = { own: true } | { own: false; principal: string; delegates: readonly string[] }

export interface Minter {
  mint(request: TokenRequest, route: Route, closing?: AbortSignal): Promise<Token>
}

type Source = Exclude<Credential, { kind: 'impersonated' }> | Machine | Impersonated

interface Impersonated {
  kind: 'impersonated'
  email: string
  delegates: readonly string[]
  source: Source
}

const IAM_HOST = 'iamcredentials.googleapis.com'
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
const DEFAULT_SCOPES = [CLOUD_PLATFORM, 'https://www.googleapis.com/auth/userinfo.email']

export function createMinter(options: MinterOptions): Minter {
  const { credential: whole, quotaProject, allowUserTokens, now, bounds, onDate } = options
  const transport = createTransport(bounds, onDate)
  const clients = new Map<Source, Client>()
  const bearers = createBearers(fetchBearer, now)

  function clientOf(source: Exclude<Source, Impersonated>): Client {
    const client = clients.get(source) ?? create(source)
    clients.set(source, client)
    return client
  }

  function create(source: Exclude<Source, Impersonated>): Client {
    switch (source.kind) {
      case 'key':
        return createKeyClient(source.json, { transport, now })
      case 'user':
        return createUserClient(source.json, { transport, now })
      case 'federated':
        return createFederatedClient(source.json, { transport, now })
      case 'workforce':
        return createWorkforceClient(source.json, { transport, now })
      case 'machine':
        return source.client
      case 'gdch':
        throw failure('CREDENTIALS_UNUSABLE', { what: 'a GDCH service account' })
    }
  }

  async function mintOwn(source: Source, request: TokenRequest): Promise<Token> {
    if (source.kind === 'impersonated') return impersonate(source, request)
    if (source.kind === 'user' || source.kind === 'workforce') refuseUser(source.kind, request)
    const client = clientOf(source)
    return explained(source, { kind: request.kind }, async () => {
      if (request.kind === 'access') return client.accessToken(scopesOf(request))
      if (client.idToken === undefined) throw failure('CREDENTIALS_CANNOT_MINT', { what: client.caller().name })
      return client.idToken(request.audience)
    })
  }

  /** A user's refresh token cannot choose an audience: `aud` is always the client id of the login. */
  function refuseUser(kind: 'user' | 'workforce', request: TokenRequest): void {
    if (allowUserTokens) return
    if (request.kind === 'access') throw failure('USER_TOKENS_NOT_ALLOWED', {})
    if (kind === 'user') throw failure('USER_TOKEN_AUDIENCE', { audience: shortened(request.audience) })
  }

  /** A bearer may have been revoked while it was kept, so one that Google does not know is fetched anew. */
  function impersonate(through: Impersonated, request: TokenRequest): Promise<Token> {
    const { source, email: target, delegates } = through
    return explained(source, { kind: request.kind, target, delegates }, async () => {
      const kept = bearers.kept(source)
      if (kept !== undefined) {
        try {
          return await generate(through, request, kept)
        } catch (thrown) {
          if (!(thrown instanceof Refusal && thrown.status === 401)) throw thrown
        }
      }
      return generate(through, request, await bearers.fresh(source))
    })
  }

  function fetchBearer(source: Source): Promise<Token> {
    return source.kind === 'impersonated'
      ? impersonate(source, { kind: 'access', principal: source.email, scopes: [CLOUD_PLATFORM] })
      : explained(source, { kind: 'access' }, async () => clientOf(source).accessToken([CLOUD_PLATFORM]))
  }

  /** `includeEmail` follows the format and `useEmailAzp` is left out, so the claims equal Cloud Run's. */
  async function generate({ email, delegates }: Impersonated, request: TokenRequest, bearer: Token): Promise<Token> {
    const chain = { delegates: delegates.map(resource) }
    if (request.kind === 'id') {
      const body = { ...chain, audience: request.audience, includeEmail: request.format === 'full' }
      const { data } = await callIam(email, 'generateIdToken', body, bearer)
      return idTokenOf(data.token, IAM_HOST, now)
    }
    const body = { ...chain, scope: scopesOf(request), lifetime: '3600s' }
    const { data, dateMs } = await callIam(email, 'generateAccessToken', body, bearer)
    const { accessToken: value, expireTime } = data
    const lifeMs = Date.parse(String(expireTime)) - dateMs
    if (typeof value !== 'string' || Number.isNaN(lifeMs)) throw garbage(IAM_HOST)
    return { value, expiresAtMs: now() + lifeMs, served: 'mint' }
  }

  /** The answer, and Google's clock at its time: `expireTime` is by that, and ours may be minutes behind. */
  async function callIam(email: string, method: string, body: object, bearer: Token) {
    const { data, headers } = await transport.gaxios.request<Record<string, unknown>>({
      method: 'POST',
      url: `https://${IAM_HOST}/v1/projects/-/serviceAccounts/${encodeURI(email)}:${method}`,
      headers: {
        authorization: `Bearer ${bearer.value}`,
        ...(quotaProject === undefined ? {} : { 'x-goog-user-project': quotaProject }),
      },
      data: body,
    })
    const dateMs = Date.parse(headers.get('date') ?? '')
    return { data, dateMs: Number.isNaN(dateMs) ? now() : dateMs }
  }

  async function explained(
    source: Source,
    doing: Pick<Attempt, 'kind' | 'target' | 'delegates'>,
    attempt: () => Promise<Token>,
  ): Promise<Token> {
    try {
      return await attempt()
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown
      throw explainRefusal(thrown, {
        ...doing,
        caller: callerOf(source),
        credential: rootOf(source).kind,
        quotaProject,
      })
    }
  }

  function callerOf(source: Source): Caller {
    return source.kind === 'impersonated'
      ? { name: source.email, member: `serviceAccount:${source.email}` }
      : clientOf(source).caller()
  }

  async function mint(request: TokenRequest, route: Route): Promise<Token> {
    if (route.own) return mintOwn(whole, request)
    const { principal: email, delegates } = route
    return impersonate({ kind: 'impersonated', email, delegates, source: whole }, request)
  }

  return {
    mint: (request, route, closing) =>
      transport
        .run(closing, () => mint(request, route))
        .catch((thrown: unknown) => {
          throw thrown instanceof OutOfTime ? failure('SOURCE_TIMEOUT', {}) : thrown
        }),
  }
}

function rootOf(source: Source): Exclude<Source, Impersonated> {
  return source.kind === 'impersonated' ? rootOf(source.source) : source
}

function scopesOf({ scopes }: Extract<TokenRequest, { kind: 'access' }>): readonly string[] {
  return scopes.length > 0 ? scopes : DEFAULT_SCOPES
}

/** Google takes delegates only in this form. */
function resource(email: string): string {
  return email.startsWith('projects/') ? email : `projects/-/serviceAccounts/${email}`
}

/** An audience may have thousands of characters, and what to type has to fit behind it. */
function shortened(audience: string): string {
  return audience.length > 100 ? `${audience.slice(0, 100)}...` : audience
}
