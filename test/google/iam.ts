import { sign } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { type Answer, apiError, errorInfo, page, type Refusal } from './answers.ts'
import type { Exchange, Handler } from './http.ts'
import { isScope, isSignedBy } from './oauth2.ts'
import { type AccessToken, projectNumber, type ServiceAccount, type World } from './world.ts'

const SERVICE = 'iamcredentials.googleapis.com'
const TITLE = 'IAM Service Account Credentials API'
const SCOPES = ['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/iam']
const PATH = /^\/v1\/projects\/([^/]+)\/serviceAccounts\/([^/:]+):(generateIdToken|generateAccessToken|signBlob)$/
const PREFIX = 'projects/-/serviceAccounts/'

const METHODS = {
  generateIdToken: {
    permission: 'iam.serviceAccounts.getOpenIdToken',
    fields: ['delegates', 'audience', 'includeEmail', 'useEmailAzp', 'organizationNumberIncluded'],
    answer: idToken,
  },
  generateAccessToken: {
    permission: 'iam.serviceAccounts.getAccessToken',
    fields: ['delegates', 'scope', 'lifetime'],
    answer: accessToken,
  },
  signBlob: {
    permission: 'iam.serviceAccounts.signBlob',
    fields: ['delegates', 'payload'],
    answer: blob,
  },
}

/** Of the real document only what says which it is. */
const DISCOVERY: Answer = {
  status: 200,
  body: { kind: 'discovery#restDescription', id: 'iamcredentials:v1', title: TITLE },
}

type Body = Record<string, unknown>

/** iamcredentials.googleapis.com: docs/minting.md, "Impersonation" and, for what it refuses, docs/minting.md, "Refusals". */
export function createIam(world: World): Handler {
  return async (exchange) => {
    if (exchange.method === 'GET' && exchange.url.pathname === '/$discovery/rest') return DISCOVERY
    const [, project, name = '', method = ''] = PATH.exec(decodeURIComponent(exchange.url.pathname)) ?? []
    if (exchange.method !== 'POST' || !project) throw page(404, 'The requested URL was not found on this server.')
    const { call } = exchange
    const { permission, fields, answer } = METHODS[method as keyof typeof METHODS]
    call.grant = method
    const caller = authenticate(world, exchange)
    call.principal = caller.principal
    if (project !== '-') throw invalid('The project must be "-".')
    const body = parse(exchange, fields)
    call.delegates = strings(body, 'delegates').map(delegate)
    admit(world, caller, exchange)
    const last = travel(world, caller.principal, call.delegates)
    const target = world.account(name)
    if (!world.can(last, permission, target?.email ?? name)) throw denied(permission)
    if (!target) throw apiError(404, `Not found; Gaia id not found for email ${name}`)
    return answer(world, target, body, exchange)
  }
}

function authenticate(world: World, { headers }: Exchange): AccessToken {
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1]
  const token = bearer === undefined ? undefined : (world.accessTokens.get(bearer) ?? selfSigned(world, bearer))
  if (!token || token.expiresAtMs <= world.now()) {
    const reason = bearer === undefined ? 'CREDENTIALS_MISSING' : 'ACCESS_TOKEN_EXPIRED'
    const text =
      bearer === undefined
        ? 'Request is missing required authentication credential.'
        : 'Request had invalid authentication credentials.'
    const advice = 'Expected OAuth 2 access token, login cookie or other valid authentication credential.'
    const refusal = apiError(401, `${text} ${advice}`, [errorInfo(reason, { service: SERVICE })])
    refusal.answer.headers = {
      'WWW-Authenticate': 'Bearer realm="https://accounts.google.com/", error="invalid_token"',
    }
    throw refusal
  }
  if (!token.scopes.some((scope) => SCOPES.includes(scope))) {
    const info = errorInfo('ACCESS_TOKEN_SCOPE_INSUFFICIENT', { service: SERVICE })
    throw apiError(403, 'Request had insufficient authentication scopes.', [info])
  }
  return token
}

/** A key may sign its access token itself, for an hour at most; outside of Google's own universe there is no other kind (docs/minting.md, "Universes"). */
function selfSigned(world: World, bearer: string): AccessToken | undefined {
  const claims = jwt.decode(bearer, { json: true })
  const account = world.account(claims?.iss ?? '')
  if (!claims || !account?.keys.some((key) => isSignedBy(bearer, key))) return undefined
  const { iat = 0, exp = 0, sub, scope, aud } = claims as jwt.JwtPayload & { scope?: unknown }
  const now = world.now() / 1000
  if (sub !== account.email || aud !== undefined || exp - iat > 3600 || Math.abs(now - iat) > 300) return undefined
  const scopes = typeof scope === 'string' ? scope.split(' ') : []
  return { principal: account.email, scopes, expiresAtMs: exp * 1000, consumer: account.project }
}

function parse({ body: text }: Exchange, fields: readonly string[]): Body {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw invalid('Invalid JSON payload received. Unexpected token.')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw invalid('Invalid JSON payload received.')
  for (const name of Object.keys(body)) {
    if (!fields.includes(name)) {
      throw invalid(`Invalid JSON payload received. Unknown name "${name}": Cannot find field.`)
    }
  }
  return body as Body
}

/** The caller must be allowed to use the quota project that it names, and the API must be on where the call is counted (docs/minting.md, "Quota project"). */
function admit(world: World, caller: AccessToken, { headers, call }: Exchange): void {
  const named = headers['x-goog-user-project']
  if (typeof named === 'string') {
    call.quotaProject = named
    if (!world.can(caller.principal, 'serviceusage.services.use', named)) {
      const consumer = `projects/${named}`
      const text =
        `Caller does not have required permission to use project ${named}. Grant the caller the ` +
        'roles/serviceusage.serviceUsageConsumer role, or a custom role with the serviceusage.services.use permission, ' +
        `by visiting https://console.developers.google.com/iam-admin/iam/project?project=${named} and then retry. ` +
        'Propagation of the new permission may take a few minutes.'
      const metadata = { service: SERVICE, consumer, containerInfo: named }
      throw apiError(403, text, [errorInfo('USER_PROJECT_DENIED', metadata)])
    }
  }
  const charged = call.quotaProject ?? caller.consumer
  if (charged === undefined || !world.disabledApis.has(projectNumber(charged))) return
  const number = projectNumber(charged)
  const activationUrl = `https://console.developers.google.com/apis/api/${SERVICE}/overview?project=${number}`
  const text =
    `${TITLE} has not been used in project ${number} before or it is disabled. Enable it by visiting ${activationUrl} ` +
    'then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.'
  const metadata = { service: SERVICE, serviceTitle: TITLE, consumer: `projects/${number}`, containerInfo: number }
  throw apiError(403, text, [errorInfo('SERVICE_DISABLED', { ...metadata, activationUrl })])
}

function delegate(name: string): string {
  if (name.startsWith(PREFIX)) return name.slice(PREFIX.length)
  throw invalid(`Invalid form of account ID ${name}. Should be [Gaia ID |Email |Unique ID |] of the account`)
}

/** Each account of the chain must let the one before it delegate. Returns the last one, which asks. */
function travel(world: World, caller: string, delegates: readonly string[]): string {
  const permission = 'iam.serviceAccounts.implicitDelegation'
  return delegates.reduce((from, name) => {
    const next = world.account(name)
    if (!world.can(from, permission, next?.email ?? name)) throw denied(permission)
    if (!next) throw apiError(404, `Not found; Gaia id not found for email ${name}`)
    return next.email
  }, caller)
}

async function idToken(world: World, target: ServiceAccount, body: Body, { call }: Exchange): Promise<Answer> {
  const { audience } = body
  if (typeof audience !== 'string' || audience === '') throw invalid('Request contains an invalid argument: audience.')
  call.audience = audience
  const azp = flag(body, 'useEmailAzp') ? target.email : target.uniqueId
  const email = flag(body, 'includeEmail') ? { email: target.email, email_verified: true } : {}
  const token = await world.issueIdToken({ aud: audience, azp, sub: target.uniqueId, ...email })
  return { status: 200, body: { token } }
}

function accessToken(world: World, target: ServiceAccount, body: Body): Answer {
  const scopes = strings(body, 'scope')
  if (scopes.length === 0) throw invalid('Scope required.')
  if (!scopes.every(isScope)) throw invalid('Invalid OAuth scope.')
  const { lifetime = '3600s' } = body
  const seconds = typeof lifetime === 'string' && /^\d+(\.\d+)?s$/.test(lifetime) ? Number.parseFloat(lifetime) : 0
  if (seconds <= 0) throw invalid(`Invalid value at 'lifetime' (type.googleapis.com/google.protobuf.Duration)`)
  if (seconds > 3600) throw invalid('The access token lifetime cannot exceed 3600s.')
  const token = world.issueAccessToken({ principal: target.email, scopes, consumer: target.project }, seconds)
  const expireTime = new Date(world.now() + seconds * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
  return { status: 200, body: { accessToken: token, expireTime } }
}

/** cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob */
async function blob(world: World, target: ServiceAccount, { payload }: Body): Promise<Answer> {
  if (typeof payload !== 'string' || !/^[\w+/-]*={0,2}$/.test(payload)) {
    throw invalid("Invalid value at 'payload' (TYPE_BYTES), Base64 decoding failed")
  }
  const { privateKey, kid } = await world.managedKey(target.email)
  const signedBlob = sign('sha256', Buffer.from(payload, 'base64'), privateKey).toString('base64')
  return { status: 200, body: { keyId: kid, signedBlob } }
}

function strings(body: Body, name: string): string[] {
  const value = body[name] ?? []
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value
  throw invalid(`Invalid value at '${name}' (TYPE_STRING)`)
}

function flag(body: Body, name: string): boolean {
  const value = body[name] ?? false
  if (typeof value === 'boolean') return value
  throw invalid(`Invalid value at '${name}' (TYPE_BOOL)`)
}

function denied(permission: string): Refusal {
  const info = errorInfo('IAM_PERMISSION_DENIED', { permission }, 'iam.googleapis.com')
  return apiError(403, `Permission '${permission}' denied on resource (or it may not exist).`, [info])
}

function invalid(message: string): Refusal {
  return apiError(400, message)
}
