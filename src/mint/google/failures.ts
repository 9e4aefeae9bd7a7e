/**
 * What Google and the network say when they say no, as codes of ours. Nothing of the library's errors is kept: they
 * carry refresh tokens and subject tokens, so none is logged, rethrown or made a cause.
 */

import { failure, SidemintError } from '../../core/errors.ts'
import { ADC_PROJECT, GCLOUD_PROJECT } from '../../core/google.ts'
import type { TokenRequest } from '../../core/token.ts'
import type { HttpProxy } from '../../http/proxy.ts'
import { OutOfTime } from '../bounded.ts'

/** Bytes of an answer, unpacked: a token has two thousand, and a gzip of spaces unpacks to a thousand times its size. */
export const ANSWER_LIMIT = 1_000_000

/** Whose credential it is. */
export interface Holder {
  /** For people. */
  name: string
  /** As gcloud's `--member` takes it. */
  member: string
}

/** What was being done. */
export interface Attempt {
  holder: Holder
  /** Of the credential, for the fix of a refused one. */
  form: 'key' | 'user' | 'workforce' | 'federated' | 'machine' | 'gdch'
  kind: TokenRequest['kind']
  /** Who is impersonated, and through whom; absent for a credential's own tokens. */
  target?: string
  delegates?: readonly string[]
  quotaProject?: string | undefined
}

/** A refusal of Google's that does not pass: its words alone, in one of the two forms that its hosts use. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly host: string
  readonly status: number
  /** OAuth's form, of oauth2 and sts. */
  readonly oauth: { error: string; description: string; subtype: string } | undefined
  /** Google API's form. */
  readonly api: { message: string; reasons: readonly string[]; metadata: Record<string, unknown> } | undefined

  constructor(host: string, status: number, body: unknown) {
    super(`${host} refused with ${status}`)
    this.host = host
    this.status = status
    const data = asObject(body)
    const error = asObject(data?.error)
    this.oauth =
      typeof data?.error === 'string'
        ? {
            error: data.error,
            description: String(data.error_description ?? ''),
            subtype: String(data.error_subtype ?? ''),
          }
        : undefined
    this.api = error === undefined ? undefined : readApiError(error)
  }
}

/** Faults that may be gone at the next attempt: no answer at all, too many requests, trouble on Google's side. */
export function isPassing(thrown: unknown): boolean {
  const { response, code } = thrown as { response?: { status: number }; code?: unknown }
  if (response !== undefined) return isPassingStatus(response.status)
  if (typeof code !== 'string') return false
  const [, status] = /^PROXY_(\d+)$/.exec(code) ?? []
  if (status !== undefined) return isPassingStatus(Number(status))
  const reason = code.replace(/^PROXY_/, '')
  return (/^E[A-Z_]+$/.test(reason) || reason === 'CLOSED') && !isTlsCode(reason) && !isGarbageCode(reason)
}

/** Where a call went, and by which proxy. */
export interface Destination {
  url: URL
  proxy: HttpProxy | undefined
}

/** What a call failed with, as far as it can be told: the answer, or Node's code for why there is none. */
interface Thrown {
  response?: { status: number; data?: unknown; headers?: { get(name: string): string | null } }
  code?: unknown
}

/** What a call failed with, as a failure of ours, or as the refusal that only the asker can explain. */
export function explainThrown(thrown: unknown, to: Destination): SidemintError | Refusal {
  if (thrown instanceof SidemintError || thrown instanceof Refusal) return thrown
  const { host } = to.url
  if (thrown instanceof OutOfTime) return failure('UPSTREAM_TIMEOUT', { host, way: wayTo(to) })
  const { response, code } = thrown as Thrown
  if (response !== undefined) return explainAnswer(response, to.url)
  if (typeof code !== 'string' || isGarbageCode(code)) return garbage(host)
  if (to.proxy !== undefined && code.startsWith('PROXY_')) return explainProxy(code.slice(6), to.proxy, to)
  return isTlsCode(code)
    ? failure('TLS_UNTRUSTED', { host, reason: code })
    : failure('NETWORK_DOWN', { host, reason: code, way: wayTo(to) })
}

function explainAnswer({ status, data, headers }: NonNullable<Thrown['response']>, url: URL) {
  const { host } = url
  if (status >= 300 && status < 400) {
    const to = URL.parse(headers?.get('location') || 'http:', url.href)?.hostname || 'an address that is not a URL'
    return failure('REDIRECT_REFUSED', { host, to })
  }
  if (status === 429) return failure('RATE_LIMITED', { host })
  if (isPassingStatus(status)) return failure('UPSTREAM_UNAVAILABLE', { host, status: String(status) })
  return status < 400 ? garbage(host) : new Refusal(host, status, data)
}

/** The proxy's fault: it answered with a status, closed the connection, is not there, or is not one. */
function explainProxy(reason: string, { address: proxy, variable }: HttpProxy, to: Destination): SidemintError {
  const { host } = to.url
  if (isTlsCode(reason)) return failure('TLS_UNTRUSTED', { host: `the proxy ${proxy}`, reason })
  const refused = (what: string, status: number) =>
    failure('PROXY_REFUSED', { proxy, host, reason: what, variable }, { status })
  if (/^\d+$/.test(reason)) return refused(`status ${reason}`, isPassingStatus(Number(reason)) ? 503 : 403)
  if (reason === 'CLOSED' || reason === 'ECONNRESET') return refused('it closed the connection', 503)
  if (reason === 'NOT_HTTP' || isGarbageCode(reason)) return refused('it does not speak HTTP as a proxy does', 403)
  return failure('NETWORK_DOWN', { host, reason, way: wayTo(to) })
}

export function garbage(host: string): SidemintError {
  return failure('UPSTREAM_GARBAGE', { host })
}

/** What a refusal means for whoever attempted that. */
export function explainRefusal(refusal: Refusal, attempt: Attempt): SidemintError {
  if (refusal.api !== undefined) return explainApi(refusal.api, refusal, attempt)
  if (refusal.oauth !== undefined) return explainOauth(refusal.oauth, refusal, attempt)
  return refused(refusal, 'no reason given')
}

function explainOauth(
  { error, description, subtype }: NonNullable<Refusal['oauth']>,
  refusal: Refusal,
  { form, holder: { name: caller }, kind }: Attempt,
): SidemintError {
  const reason = plain(`${error} ${description}`)
  if (error === 'invalid_scope') {
    return kind === 'id'
      ? failure('AUDIENCE_REFUSED', { reason: plain(description) })
      : failure('SCOPES_REFUSED', { reason: plain(description) })
  }
  if (form === 'federated' && error !== 'invalid_client') {
    return failure('SUBJECT_TOKEN_REFUSED', { caller, reason })
  }
  if (error !== 'invalid_grant') return refused(refusal, reason)
  if (form === 'key') return failure('KEY_REFUSED', { caller, reason })
  return /invalid_rapt|reauth/i.test(`${subtype} ${description}`)
    ? failure('REAUTH_REQUIRED', { caller })
    : failure('LOGIN_EXPIRED', { caller })
}

const PERMISSIONS = { id: 'iam.serviceAccounts.getOpenIdToken', access: 'iam.serviceAccounts.getAccessToken' } as const
const DELEGATION = 'iam.serviceAccounts.implicitDelegation'
/** gcloud's own projects, charged where a login names no quota project. */
const GCLOUD_PROJECTS = [ADC_PROJECT, GCLOUD_PROJECT]

function explainApi(
  { message, reasons, metadata }: NonNullable<Refusal['api']>,
  refusal: Refusal,
  attempt: Attempt,
): SidemintError {
  const { holder: caller, target = '', kind, quotaProject } = attempt
  const consumer = String(metadata.consumer ?? quotaProject ?? '').replace(/^projects\//, '')
  if (reasons.includes('SERVICE_DISABLED')) {
    return GCLOUD_PROJECTS.includes(consumer)
      ? failure('QUOTA_PROJECT_MISSING', { caller: caller.name })
      : failure('API_DISABLED', { project: consumer })
  }
  if (reasons.includes('USER_PROJECT_DENIED')) {
    const project = quotaProject ?? consumer
    return failure('QUOTA_PROJECT_DENIED', { caller: caller.name, member: caller.member, project })
  }
  if (reasons.includes('ACCESS_TOKEN_SCOPE_INSUFFICIENT')) return failure('LOGIN_TOO_NARROW', { caller: caller.name })
  const permission = /\b(iam\.serviceAccounts\.\w+)' denied/.exec(message)?.[1] ?? metadata.permission
  if (refusal.status === 403 && (permission !== undefined || reasons.includes('IAM_PERMISSION_DENIED'))) {
    return denied(String(permission ?? PERMISSIONS[kind]), attempt)
  }
  if (refusal.status === 404 && target !== '') return failure('ACCOUNT_NOT_FOUND', { target })
  if (refusal.status === 400 && /scope/i.test(message)) return failure('SCOPES_REFUSED', { reason: plain(message) })
  if (refusal.status === 400 && /audience/i.test(message))
    return failure('AUDIENCE_REFUSED', { reason: plain(message) })
  return refused(refusal, plain(message))
}

/** Of a chain, Google names the permission and not the hop: the last hop asks for the token, those before it delegate. */
function denied(permission: string, { holder: caller, target = caller.name, delegates = [] }: Attempt): SidemintError {
  const [first] = delegates
  const last = delegates.at(-1)
  if (permission === DELEGATION && first !== undefined) {
    const chain = delegates.length === 1 ? '' : `, here or further along ${delegates.join(' -> ')}`
    return failure('IMPERSONATION_DENIED', {
      caller: caller.name,
      member: caller.member,
      target: first,
      permission: `${permission}${chain}`,
      role: 'roles/iam.serviceAccountTokenCreator',
    })
  }
  const role =
    permission === PERMISSIONS.id
      ? 'roles/iam.serviceAccountOpenIdTokenCreator'
      : 'roles/iam.serviceAccountTokenCreator'
  const asks = last === undefined ? caller : { name: last, member: `serviceAccount:${last}` }
  return failure('IMPERSONATION_DENIED', { caller: asks.name, member: asks.member, target, permission, role })
}

function refused({ host, status }: Refusal, reason: string): SidemintError {
  return failure('UPSTREAM_REFUSED', { host, status: String(status), reason })
}

function isPassingStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/** A certificate that does not verify stays so. */
function isTlsCode(code: string): boolean {
  return /CERT|SIGNATURE|ISSUER|ALTNAME/.test(code)
}

/** What came was not HTTP (`HPE_`), could not be unpacked (`Z_`), or was not TLS. */
function isGarbageCode(code: string): boolean {
  return /^(HPE_|Z_|EPROTO$|ERR_SSL_)/.test(code)
}

function readApiError(error: Record<string, unknown>): Refusal['api'] {
  const details = Array.isArray(error.details) ? error.details.map(asObject) : []
  return {
    message: String(error.message ?? ''),
    reasons: details.flatMap((detail) => (typeof detail?.reason === 'string' ? [detail.reason] : [])),
    metadata: Object.assign({}, ...details.map((detail) => asObject(detail?.metadata))),
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

/** How the target is reached; a proxy's URL may hold a password, so only its address is named. */
function wayTo({ proxy }: Destination): string {
  return proxy === undefined ? 'without a proxy' : `by way of the proxy ${proxy.address}`
}

/** Google's own words, on one line and without anything that could be a token. */
function plain(words: string): string {
  return words
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\w.~+/=-]{40,}/g, '...')
    .slice(0, 200)
}
