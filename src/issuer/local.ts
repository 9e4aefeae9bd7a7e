/**
 * Signs tokens on a machine without credentials, with the claims of Google's own (docs/wire.md, "Claims"). Receivers
 * verify them by the issuer's discovery document; Google's services refuse them.
 */

import { randomBytes } from 'node:crypto'
import { GCLOUD_CLIENT_ID } from '../core/google.ts'
import type { Token, TokenRequest, TokenSource } from '../core/token.ts'
import { createAccessToken } from './access-token.ts'
import { accountId } from './account-id.ts'
import { LIFETIME_SECONDS, type SigningKeys } from './keys.ts'

export interface LocalOptions {
  keys: SigningKeys
  /** The `iss` claim; asked at each mint, since the port is known only once the server listens. */
  issuer: () => string
  /** Epoch ms. */
  now: () => number
}

/** Whom a token speaks for: a service account, or a person, whose token has gcloud's own audience. */
type IssuedFor =
  | (Omit<Extract<TokenRequest, { kind: 'id' }>, 'kind' | 'principal'> & { principal: string })
  | { user: string }

export type IssueOptions = IssuedFor & {
  /** Replaces claims that the token would have; undefined removes one. */
  claims?: Record<string, unknown> | undefined
  /** Seconds until `exp`; negative for an expired token, whose `iat` then lies before it. Default 3600. */
  expiresInSeconds?: number | undefined
}

export interface LocalSource extends TokenSource {
  /** Signs an ID token with any claims: for tests of the receiving side. */
  issue(options: IssueOptions): Promise<Token>
}

export function createLocalSource({ keys, issuer, now }: LocalOptions): LocalSource {
  async function issue(options: IssueOptions): Promise<Token> {
    const lifetimeSeconds = options.expiresInSeconds ?? LIFETIME_SECONDS
    const exp = Math.floor(now() / 1000) + lifetimeSeconds
    const claims = {
      ...('user' in options ? userClaims(options.user) : accountClaims(options)),
      exp,
      iat: exp - (lifetimeSeconds > 0 ? lifetimeSeconds : LIFETIME_SECONDS),
      iss: issuer(),
      ...options.claims,
    }
    return { value: await keys.sign(claims), expiresAtMs: exp * 1000, served: 'mint' }
  }

  async function mint(request: TokenRequest): Promise<Token> {
    const { principal } = request
    if (principal === undefined) throw new TypeError('a local token is signed for a named account only')
    if (request.kind === 'id') return issue({ ...request, principal })
    const expiresAtMs = now() + LIFETIME_SECONDS * 1000
    const value = await createAccessToken(keys, { principal, scopes: request.scopes, expiresAtMs })
    return { value, expiresAtMs, served: 'mint' }
  }

  return { mint, issue }
}

function accountClaims(options: Extract<IssuedFor, { principal: string }>) {
  const { principal, audience, format, instance, useEmailAzp = false } = options
  return {
    aud: audience,
    azp: useEmailAzp ? principal : accountId(principal),
    ...(format === 'full' ? { email: principal, email_verified: true } : {}),
    ...(instance === undefined ? {} : { google: { compute_engine: instance } }),
    sub: accountId(principal),
  }
}

/** Google's own mail domains: their accounts belong to no Google Workspace, so their tokens have no `hd`. */
const CONSUMER_DOMAINS = ['gmail.com', 'googlemail.com']

/** The claims of `gcloud auth print-identity-token` (docs/wire.md, "Claims"). gcloud gets an access token too, which `at_hash` names; here it is random. */
function userClaims(user: string) {
  const domain = user.slice(user.lastIndexOf('@') + 1)
  return {
    aud: GCLOUD_CLIENT_ID,
    azp: GCLOUD_CLIENT_ID,
    sub: accountId(user),
    ...(CONSUMER_DOMAINS.includes(domain) ? {} : { hd: domain }),
    email: user,
    email_verified: true,
    at_hash: randomBytes(16).toString('base64url'),
  }
}
