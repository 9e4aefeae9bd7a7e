/**
 * What Google and the network say when they say no, as codes of ours. Nothing of the library's errors is kept: they
 * carry refresh tokens and subject tokens, so none is logged, rethrown or made a cause.
 */

import { failure, SidemintError } from '../../core/errors.ts'
import { ADC_PROJECT, GCLOUD_PROJECT } from '../../core/google.ts'
import type { TokenRequest } from '../../core/token.ts'
import { OutOfTime } from '../bounded.ts'

/** Whose credential asks. */
export interface Caller {
  /** For people. */
  name: string
  /** As gcloud's `--member` takes it. */
  member: string
}

/** What was being done. */
export interface Attempt {
  caller: Caller
  /** The credential's form, for the fix of a refused one. */
  credential: 'key' | 'user' | 'workforce' | 'federated' | 'machine' | 'gdch'
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
  return typeof code === 'string' && /^E[A-Z_]+$/.test(code) && !isTlsCode(code)
}

/** What a call failed with, as a failure of ours, or as the refusal that only the asker can explain. */
export function explainThrown(thrown: unknown, host: string): SidemintError | Refusal {
  if (thrown instanceof SidemintError || thrown instanceof Refusal) return thrown
  if (thrown instanceof OutOfTime) return failure('UPSTREAM_TIMEOUT', { host, proxy: proxy() })
  const { response, code } = thrown as { response?: { status: number; data?: unknown }; code?: unknown }
  if (response !== undefined) {
    const { status, data } = response
    if (status === 429) return failure('RATE_LIMITED', { host })
    if (status === 407)
      return failure('PROXY_REFUSED', { proxy: proxy(), host, reason: 'status 407', variable: 'HTTPS_PROXY' })
    if (isPassingStatus(status)) return failure('UPSTREAM_UNAVAILABLE', { host, status: String(status) })
    return status < 400 ? garbage(host) : new Refusal(host, status, data)
  }
  if (typeof code !== 'string') return garbage(host)
  return isTlsCode(code)
    ? failure('TLS_UNTRUSTED', { host, reason: code })
    : failure('NETWORK_DOWN', { host, reason: code, proxy: proxy() })
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
  { credential, caller: { name: caller }, kind }: Attempt,
): SidemintError {
  const reason = plain(`${error} ${description}`)
  if (error === 'invalid_scope') {
    return kind === 'id'
      ? failure('AUDIENCE_REFUSED', { reason: plain(description) })
      : failure('SCOPES_REFUSED', { reason: plain(description) })
  }
  if (credential === 'federated' && error !== 'invalid_client') {
    return failure('SUBJECT_TOKEN_REFUSED', { caller, reason })
  }
  if (error !== 'invalid_grant') return refused(refusal, reason)
  if (credential === 'key') return failure('KEY_REFUSED', { caller, reason })
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
  const { caller, target = '', kind, quotaProject } = attempt
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
function denied(permission: string, { caller, target = '', delegates = [] }: Attempt): SidemintError {
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
  return /CERT|SIGNATURE|ISSUER|ALTNAME|^EPROTO$|^ERR_(TLS|SSL)/.test(code)
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

/** Which proxy is asked; its URL may hold a password, so only its host is named. */
function proxy(): string {
  const { HTTPS_PROXY, https_proxy, HTTP_PROXY, http_proxy } = process.env
  const url = HTTPS_PROXY || https_proxy || HTTP_PROXY || http_proxy
  if (!url) return 'HTTPS_PROXY is not set'
  return URL.canParse(url) ? `by way of the proxy ${new URL(url).host}` : 'HTTPS_PROXY is no URL'
}

/** Google's own words, on one line and without anything that could be a token. */
function plain(words: string): string {
  return words
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\w.~+/=-]{40,}/g, '...')
    .slice(0, 200)
}
