import { createHash } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { type Answer, invalidGrant, oauthError, page } from './answers.ts'
import { type Exchange, form, type Handler, required } from './http.ts'
import { numericId, type ServiceAccount, type World } from './world.ts'

const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** How far an assertion's times may be off Google's clock (inferred: Google does not document it). */
const SKEW_SECONDS = 300

/** oauth2.googleapis.com: docs/minting.md, "The key exchange" and, for what it refuses, docs/minting.md, "Refusals". */
export function createOauth2(world: World): Handler {
  return (exchange) => {
    if (exchange.url.pathname !== '/token') throw page(404, 'The requested URL was not found on this server.')
    const params = form(exchange)
    const grant = required(params, 'grant_type')
    exchange.call.grant = grant.replace(/^.*:/, '')
    if (grant === JWT_BEARER) return serviceAccount(world, required(params, 'assertion'), exchange)
    if (grant === 'refresh_token') return user(world, params, exchange)
    throw oauthError(400, 'unsupported_grant_type', `Invalid grant_type: ${grant}`)
  }
}

async function serviceAccount(world: World, assertion: string, { call }: Exchange): Promise<Answer> {
  const { account, claims } = verifyAssertion(world, assertion)
  call.principal = account.email
  const { scope, target_audience: audience, sub } = claims as Record<string, unknown>
  if (sub !== undefined && sub !== account.email) {
    const text = 'Client is unauthorized to retrieve access tokens using this method, or client not authorized for any'
    throw oauthError(401, 'unauthorized_client', `${text} of the scopes requested.`)
  }
  if (scope !== undefined && audience !== undefined) {
    throw oauthError(400, 'invalid_request', 'Only one of scope and target_audience may be set.')
  }
  if (typeof audience === 'string' && audience !== '') {
    call.audience = audience
    const { email, uniqueId } = account
    const id_token = await world.issueIdToken({ aud: audience, azp: email, sub: uniqueId, email, email_verified: true })
    return { status: 200, body: { id_token } }
  }
  const scopes = typeof scope === 'string' ? scope.split(' ').filter(Boolean) : []
  if (scopes.length === 0 || !scopes.every(isScope)) {
    throw oauthError(400, 'invalid_scope', 'Invalid OAuth scope or ID token audience provided.')
  }
  const consumer = account.project
  const access_token = world.issueAccessToken({ principal: account.email, scopes, consumer }, 3599)
  return { status: 200, body: { access_token, expires_in: 3599, token_type: 'Bearer' } }
}

function verifyAssertion(world: World, assertion: string): { account: ServiceAccount; claims: jwt.JwtPayload } {
  const claims = jwt.decode(assertion, { json: true })
  if (!claims) throw invalidGrant('Invalid JWT: the assertion cannot be parsed.')
  const account = world.account(claims.iss ?? '')
  if (!account) throw invalidGrant('Invalid grant: account not found')
  if (!account.keys.some((key) => isSignedBy(assertion, key))) throw invalidGrant('Invalid JWT Signature.')
  if (claims.aud !== TOKEN_URL) {
    throw invalidGrant(`Invalid JWT: Failed audience check. The right audience is ${TOKEN_URL}`)
  }
  const { iat, exp } = claims
  const now = world.now() / 1000
  const timely =
    typeof iat === 'number' &&
    typeof exp === 'number' &&
    exp > iat &&
    exp - iat <= 3600 &&
    iat <= now + SKEW_SECONDS &&
    exp >= now - SKEW_SECONDS
  if (!timely) {
    const rule = 'Token must be a short-lived token (60 minutes) and in a reasonable timeframe.'
    throw invalidGrant(`Invalid JWT: ${rule} Check your iat and exp values in the JWT claim.`)
  }
  return { account, claims }
}

/** Checks the signature alone: the times are checked apart, since Google refuses them in other words. */
export function isSignedBy(token: string, key: ServiceAccount['keys'][number]): boolean {
  try {
    jwt.verify(token, key, { algorithms: ['RS256'], ignoreExpiration: true, ignoreNotBefore: true })
    return true
  } catch {
    return false
  }
}

async function user(world: World, params: URLSearchParams, { call }: Exchange): Promise<Answer> {
  const client = required(params, 'client_id')
  const secret = world.clients.get(client)
  if (!secret) throw oauthError(401, 'invalid_client', 'The OAuth client was not found.')
  if (params.get('client_secret') !== secret) {
    throw oauthError(401, 'invalid_client', 'The provided client secret is invalid.')
  }
  const login = world.logins.get(required(params, 'refresh_token'))
  if (!login) throw invalidGrant('Bad Request')
  if (login.client !== client) throw oauthError(401, 'unauthorized_client', 'Unauthorized')
  if (login.revoked) throw invalidGrant('Token has been expired or revoked.')
  call.principal = login.principal
  if (world.reauth.has(login.principal)) {
    throw oauthError(400, 'invalid_grant', 'reauth related error (invalid_rapt)', {
      error_uri: 'https://support.google.com/a/answer/9368756',
      error_subtype: 'invalid_rapt',
    })
  }
  const { principal: email, scopes } = login
  const consumer = /^\d+/.exec(client)?.[0]
  const access_token = world.issueAccessToken({ principal: email, scopes, consumer }, 3599)
  const body = { access_token, expires_in: 3599, scope: scopes.join(' '), token_type: 'Bearer' }
  if (!scopes.includes('openid')) return { status: 200, body }
  const claims = { azp: client, aud: client, sub: numericId(email), hd: email.replace(/^.*@/, '') }
  const at_hash = createHash('sha256').update(access_token).digest().subarray(0, 16).toString('base64url')
  const id_token = await world.issueIdToken({ ...claims, email, email_verified: true, at_hash })
  return { status: 200, body: { ...body, id_token } }
}

export function isScope(scope: string): boolean {
  return /^https:\/\/www\.googleapis\.com\/auth\/[\w.-]+$/.test(scope) || ['openid', 'email', 'profile'].includes(scope)
}
