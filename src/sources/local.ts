/**
 * Signs tokens itself, shaped as Google's: for a machine without credentials. Receivers verify them by the issuer's
 * discovery document; Google's own services refuse them.
 */

import { randomBytes } from 'node:crypto'
import jsonwebtoken from 'jsonwebtoken'
import { accountId } from '../account-id.ts'
import type { SigningKey } from '../keys.ts'
import type { Token, TokenRequest, TokenSource } from '../token.ts'

const LIFETIME_SECONDS = 3600

export interface LocalOptions {
  key: Promise<SigningKey>
  /** The `iss` claim; asked at each mint, since the port is known only once the server listens. */
  issuer: () => string
  /** Epoch ms. */
  now: () => number
}

/** Claims to lay over the ones that a token would have; undefined leaves a claim out. */
export interface IssueOptions {
  principal: string
  audience: string
  format: 'standard' | 'full'
  claims?: Record<string, unknown>
  /** Seconds until `exp`; negative for an expired token, whose `iat` then lies before it. Default 3600. */
  expiresInSeconds?: number
}

export interface LocalSource extends TokenSource {
  /** Signs an ID token with any claims: for tests of the receiving side. */
  issue(options: IssueOptions): Promise<Token>
}

export function createLocalSource({ key, issuer, now }: LocalOptions): LocalSource {
  async function issue(options: IssueOptions): Promise<Token> {
    const { kid, privateKey } = await key
    const lifetimeSeconds = options.expiresInSeconds ?? LIFETIME_SECONDS
    const exp = Math.floor(now() / 1000) + lifetimeSeconds
    const claims = {
      aud: options.audience,
      azp: accountId(options.principal),
      ...(options.format === 'full' ? { email: options.principal, email_verified: true } : {}),
      exp,
      iat: exp - (lifetimeSeconds > 0 ? lifetimeSeconds : LIFETIME_SECONDS),
      iss: issuer(),
      sub: accountId(options.principal),
      ...options.claims,
    }
    const value = jsonwebtoken.sign(JSON.stringify(claims), privateKey, {
      algorithm: 'RS256',
      header: { alg: 'RS256', kid, typ: 'JWT' },
    })
    return { value, expiresAtMs: exp * 1000, served: 'mint' }
  }

  async function mint(request: TokenRequest): Promise<Token> {
    if (request.kind === 'id') return issue(request)
    const value = `sidemint-local-access-token.${randomBytes(24).toString('base64url')}`
    return { value, expiresAtMs: now() + LIFETIME_SECONDS * 1000, served: 'mint' }
  }

  return { mint, issue }
}
