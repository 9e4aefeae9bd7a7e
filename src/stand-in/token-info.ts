/** Google's debugging aid that shows a token's claims: developers.google.com/identity/sign-in/web/backend-auth. */

import type { IncomingMessage } from 'node:http'
import { DEFAULT_SCOPES } from '../core/google.ts'
import { readBody } from '../http/body.ts'
import { readAccessToken } from '../issuer/access-token.ts'
import { accountId } from '../issuer/account-id.ts'
import type { SigningKeys } from '../issuer/keys.ts'
import { oauthError } from './google-error.ts'

const MOST_BYTES = 64 * 1024

export interface TokenInfoOptions {
  keys: SigningKeys
  /** The `iss` claim of our tokens. */
  issuer: string
  /** Epoch ms. */
  now: () => number
}

/** Throws a GoogleError for a token that is not ours or has ended. */
export async function describeToken(
  parameters: URLSearchParams,
  { keys, issuer, now }: TokenInfoOptions,
): Promise<Record<string, string>> {
  const idToken = parameters.get('id_token')
  const accessToken = parameters.get('access_token')
  if (idToken) return describeIdToken(idToken, { keys, issuer, now })
  if (accessToken) return describeAccessToken(accessToken, { keys, issuer, now })
  throw oauthError('invalid_request', 'Either access_token, id_token, or token_handle required.')
}

/** The query, and the form of a POST. Throws a GoogleError for a form that is too long. */
export async function readParameters(req: IncomingMessage, query: URLSearchParams): Promise<URLSearchParams> {
  if (req.method !== 'POST') return query
  const body = await readBody(req, MOST_BYTES)
  if (body === undefined) throw oauthError('invalid_request', `The form has more than ${MOST_BYTES / 1024} kB.`)
  return new URLSearchParams([...query, ...new URLSearchParams(body)])
}

async function describeIdToken(token: string, { keys, issuer, now }: TokenInfoOptions) {
  const verified = await keys.verify(token)
  const { iss, exp } = verified?.claims ?? {}
  if (verified === undefined || iss !== issuer || typeof exp !== 'number' || exp * 1000 <= now()) throw invalid()
  return Object.fromEntries(
    Object.entries({ ...verified.claims, ...verified.header }).map(([name, value]) => [name, asText(value)]),
  )
}

async function describeAccessToken(token: string, { keys, now }: TokenInfoOptions) {
  const grant = await readAccessToken(keys, token, now())
  if (grant === undefined) throw invalid()
  const { principal, scopes, expiresAtMs } = grant
  const exp = Math.floor(expiresAtMs / 1000)
  return {
    azp: accountId(principal),
    aud: accountId(principal),
    sub: accountId(principal),
    scope: (scopes.length > 0 ? scopes : DEFAULT_SCOPES).join(' '),
    exp: String(exp),
    expires_in: String(exp - Math.floor(now() / 1000)),
    email: principal,
    email_verified: 'true',
    access_type: 'online',
  }
}

function invalid() {
  return oauthError('invalid_token', 'Invalid Value')
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
