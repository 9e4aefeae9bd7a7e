/**
 * Mints with one set of credentials. Impersonation is one call of our own to IAM Credentials with the source's access
 * token: one hop and one permission, where the library would need a grant of the account on itself.
 */

import type { Adc, Credential } from '../../adc.ts'
import { failure } from '../../errors.ts'
import type { Token, TokenRequest } from '../../token.ts'
import { BOUNDS, type Bounds } from '../bounded.ts'
import { type Client, createClient, idTokenOf } from './clients.ts'
import { type Attempt, explainFailure, garbage } from './failures.ts'
import { createTransport } from './transport.ts'

export interface MinterOptions {
  adc: Adc
  /** Overrides the file's. */
  quotaProject: string | undefined
  allowUserTokens: boolean
  bounds?: Bounds
  onDate: (googleMs: number) => void
  /** Epoch ms. */
  now: () => number
}

/** Whom a token is for: the credential itself, or a principal that it impersonates. */
export type Route = { own: true } | { own: false; principal: string; delegates: readonly string[] }

export interface Minter {
  mint(request: TokenRequest, route: Route, signal?: AbortSignal): Promise<Token>
}

const IAM = 'https://iamcredentials.googleapis.com/v1'
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
const DEFAULT_SCOPES = [CLOUD_PLATFORM, 'https://www.googleapis.com/auth/userinfo.email']
/** Below this a bearer is not used again. */
const LEAST_LEFT_MS = 5 * 60_000

export function createMinter(options: MinterOptions): Minter {
  const { adc, allowUserTokens, now } = options
  const transport = createTransport(options.bounds ?? BOUNDS, options.onDate)
  const quotaProject = options.quotaProject ?? adc.quotaProject
  const clients = new Map<Credential, Client>()
  const bearers = new Map<Credential, Promise<Token>>()

  function clientOf(credential: Exclude<Credential, { kind: 'impersonated' | 'gdch' }>): Client {
    const client = clients.get(credential) ?? createClient(credential, transport.gaxios)
    clients.set(credential, client)
    return client
  }

  async function mintOwn(credential: Credential, request: TokenRequest): Promise<Token> {
    if (credential.kind === 'gdch') throw failure('CREDENTIALS_UNUSABLE', { what: 'a GDCH service account' })
    if (credential.kind === 'impersonated')
      return impersonate(credential.source, credential.email, credential.delegates, request)
    if (credential.kind === 'user' && !allowUserTokens) throw refuseUser(request)
    const client = clientOf(credential)
    return explained(credential, request.kind, undefined, () => {
      if (request.kind === 'access')
        return client.accessToken(request.scopes.length > 0 ? request.scopes : DEFAULT_SCOPES)
      if (client.idToken === undefined) throw failure('CREDENTIALS_CANNOT_MINT', { what: client.caller() })
      return client.idToken(request.audience)
    })
  }

  async function impersonate(
    source: Credential,
    principal: string,
    delegates: readonly string[],
    request: TokenRequest,
  ): Promise<Token> {
    const bearer = await bearerOf(source, request.kind)
    return explained(source, request.kind, principal, () =>
      request.kind === 'id'
        ? generateIdToken(principal, delegates, request.audience, request.format, bearer)
        : generateAccessToken(
            principal,
            delegates,
            request.scopes.length > 0 ? request.scopes : DEFAULT_SCOPES,
            bearer,
          ),
    )
  }

  /** The source's own access token: the library keeps a client's, those of an impersonated source are kept here. */
  async function bearerOf(credential: Credential, kind: TokenRequest['kind']): Promise<Token> {
    if (credential.kind === 'gdch') throw failure('CREDENTIALS_UNUSABLE', { what: 'a GDCH service account' })
    if (credential.kind !== 'impersonated') {
      return explained(credential, kind, undefined, () => clientOf(credential).accessToken([CLOUD_PLATFORM]))
    }
    const kept = await bearers.get(credential)?.catch(() => undefined)
    if (kept !== undefined && kept.expiresAtMs - now() > LEAST_LEFT_MS) return kept
    const { source, email, delegates } = credential
    const asking = impersonate(source, email, delegates, { kind: 'access', principal: email, scopes: [CLOUD_PLATFORM] })
    bearers.set(credential, asking)
    return asking
  }

  /** `includeEmail` follows the format and `useEmailAzp` is left out, so the claims equal Cloud Run's. */
  async function generateIdToken(
    principal: string,
    delegates: readonly string[],
    audience: string,
    format: 'standard' | 'full',
    bearer: Token,
  ): Promise<Token> {
    const data = { audience, delegates: delegates.map(resource), includeEmail: format === 'full' }
    const answer = await callIam(`${principal}:generateIdToken`, data, bearer)
    return idTokenOf(answer.token)
  }

  async function generateAccessToken(
    principal: string,
    delegates: readonly string[],
    scope: readonly string[],
    bearer: Token,
  ): Promise<Token> {
    const data = { scope, delegates: delegates.map(resource), lifetime: '3600s' }
    const { accessToken, expireTime } = await callIam(`${principal}:generateAccessToken`, data, bearer)
    const expiresAtMs = Date.parse(String(expireTime))
    if (typeof accessToken !== 'string' || Number.isNaN(expiresAtMs)) throw garbage(new URL(IAM).hostname)
    return { value: accessToken, expiresAtMs, served: 'mint' }
  }

  async function callIam(method: string, data: object, bearer: Token): Promise<Record<string, unknown>> {
    const response = await transport.gaxios.request<Record<string, unknown>>({
      method: 'POST',
      url: `${IAM}/projects/-/serviceAccounts/${method}`,
      headers: {
        authorization: `Bearer ${bearer.value}`,
        ...(quotaProject === undefined ? {} : { 'x-goog-user-project': quotaProject }),
      },
      data,
      responseType: 'json',
    })
    if (typeof response.data !== 'object' || response.data === null) throw garbage(new URL(IAM).hostname)
    return response.data
  }

  async function explained<T>(
    credential: Credential,
    kind: TokenRequest['kind'],
    target: string | undefined,
    attempt: () => T | Promise<T>,
  ): Promise<T> {
    try {
      return await attempt()
    } catch (thrown) {
      throw explainFailure(thrown, {
        caller: callerOf(credential),
        credential: rootOf(credential).kind as Attempt['credential'],
        kind,
        quotaProject: quotaProject ?? 'PROJECT',
        ...(target === undefined ? {} : { target }),
      })
    }
  }

  function callerOf(credential: Credential): string {
    if (credential.kind === 'impersonated') return `serviceAccount:${credential.email}`
    return credential.kind === 'gdch' ? 'the GDCH service account' : clientOf(credential).caller()
  }

  return {
    mint: (request, route, signal) =>
      transport.within(signal, () =>
        route.own
          ? mintOwn(adc.credential, request)
          : impersonate(adc.credential, route.principal, route.delegates, request),
      ),
  }
}

/** A user's refresh token cannot choose an audience: `aud` is always the client id of the login. */
function refuseUser(request: TokenRequest): Error {
  return request.kind === 'id'
    ? failure('USER_TOKEN_AUDIENCE', { audience: request.audience })
    : failure('USER_TOKENS_NOT_ALLOWED', {})
}

function rootOf(credential: Credential): Exclude<Credential, { kind: 'impersonated' }> {
  return credential.kind === 'impersonated' ? rootOf(credential.source) : credential
}

/** Google takes delegates only in this form. */
function resource(email: string): string {
  return email.startsWith('projects/') ? email : `projects/-/serviceAccounts/${email}`
}
