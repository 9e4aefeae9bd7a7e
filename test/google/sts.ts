import jwt from 'jsonwebtoken'
import { type Answer, invalidGrant, oauthError, page, type Refusal } from './answers.ts'
import { type Exchange, form, type Handler, required } from './http.ts'
import { isScope, isSignedBy } from './oauth2.ts'
import type { Provider, World } from './world.ts'

const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_TYPES = ['jwt', 'id_token']
const OPAQUE_TYPES = ['saml2']

/** sts.googleapis.com: an exchange by RFC 8693, cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token. */
export function createSts(world: World, exchanged = { lifetimeSeconds: 3600 }): Handler {
  return (exchange) => {
    const { pathname } = exchange.url
    if (pathname === '/v1/token') return exchangeToken(world, form(exchange), exchange, exchanged)
    if (pathname === '/v1/oauthtoken') return refresh(world, form(exchange), exchange)
    throw page(404, 'The requested URL was not found on this server.')
  }
}

function exchangeToken(
  world: World,
  params: URLSearchParams,
  { call }: Exchange,
  { lifetimeSeconds: expires_in }: { lifetimeSeconds: number },
): Answer {
  const grant = required(params, 'grant_type')
  if (grant !== EXCHANGE) throw invalidValue('grant_type')
  call.grant = 'token-exchange'
  const audience = required(params, 'audience')
  if (!audience.startsWith('//iam.googleapis.com/')) {
    const text = 'This value should be the full resource name of the Identity Provider.'
    throw oauthError(400, 'invalid_request', `Invalid value for "audience". ${text}`)
  }
  const issued_token_type = required(params, 'requested_token_type')
  if (issued_token_type !== `${TOKEN_TYPE}access_token`) throw invalidValue('requested_token_type')
  const scopes = required(params, 'scope').split(' ')
  if (!scopes.every(isScope)) throw oauthError(400, 'invalid_scope', 'Invalid OAuth scope.')
  const provider = world.providers.get(audience)
  if (!provider) {
    const why = "This might either be because the pool or provider is disabled or deleted or because it doesn't exist."
    const text = `The target service indicated by the "audience" parameters is invalid. ${why}`
    throw oauthError(400, 'invalid_target', text)
  }
  const type = required(params, 'subject_token_type')
  const subject = subjectOf(world, provider, type, required(params, 'subject_token'))
  const pool = `projects/${provider.projectNumber}/locations/global/workloadIdentityPools/${provider.pool}`
  const principal = `principal://iam.googleapis.com/${pool}/subject/${subject}`
  call.principal = principal
  const access_token = world.issueAccessToken({ principal, scopes, consumer: provider.projectNumber }, expires_in)
  return { status: 200, body: { access_token, issued_token_type, token_type: 'Bearer', expires_in } }
}

function subjectOf(world: World, provider: Provider, type: string, token: string): string {
  const kind = type.startsWith(TOKEN_TYPE) ? type.slice(TOKEN_TYPE.length) : ''
  if (OPAQUE_TYPES.includes(kind)) {
    const subject = provider.opaque.get(token)
    if (subject === undefined) throw invalidGrant('The subject token is not known to the provider.')
    return subject
  }
  if (!JWT_TYPES.includes(kind)) throw invalidValue('subject_token_type')
  const claims = jwt.decode(token, { json: true })
  if (!claims) throw invalidGrant('Unable to parse the ID Token.')
  const { iss, aud, exp, iat = 0, sub } = claims
  if (iss !== provider.issuer) {
    throw invalidGrant(`The issuer in ID Token ${iss} does not match the expected ones.`)
  }
  if (![aud].flat().some((each) => provider.audiences.includes(each ?? ''))) {
    throw invalidGrant(`The audience in ID Token [${aud}] does not match the expected audience.`)
  }
  if (!isSignedBy(token, provider.key.publicKey)) throw invalidGrant('The signature of the ID Token is invalid.')
  const now = world.now() / 1000
  if (typeof exp !== 'number' || exp <= now || iat > now + 300) {
    throw invalidGrant(`ID Token issued at ${iat} is stale to sign-in.`)
  }
  if (!sub) throw invalidGrant('The mapped google.subject is empty.')
  return sub
}

/** The login of a workforce user: refreshed with the client's name and secret in HTTP Basic. */
function refresh(world: World, params: URLSearchParams, { call, headers }: Exchange): Answer {
  if (required(params, 'grant_type') !== 'refresh_token') throw invalidValue('grant_type')
  call.grant = 'refresh_token'
  const basic = /^Basic (.+)$/.exec(headers.authorization ?? '')?.[1] ?? ''
  const [client = '', secret] = Buffer.from(basic, 'base64').toString().split(':')
  if (!client || world.clients.get(client) !== secret) {
    throw oauthError(401, 'invalid_client', 'The OAuth client authentication failed.')
  }
  const login = world.logins.get(required(params, 'refresh_token'))
  if (login?.client !== client) throw invalidGrant('The refresh token is invalid.')
  if (login.revoked || world.reauth.has(login.principal)) {
    throw invalidGrant('Session expired; please sign in again.')
  }
  const { principal, scopes } = login
  call.principal = principal
  const access_token = world.issueAccessToken({ principal, scopes, consumer: undefined }, 3600)
  return { status: 200, body: { access_token, expires_in: 3600, token_type: 'Bearer', scope: scopes.join(' ') } }
}

function invalidValue(name: string): Refusal {
  return oauthError(400, 'invalid_request', `Invalid value for "${name}".`)
}
