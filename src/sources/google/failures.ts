/**
 * What Google and the network say when they say no, as codes of ours. The library's errors end here: they carry
 * refresh tokens and subject tokens, so none is logged, rethrown or kept as a cause.
 */

import { failure, SidemintError } from '../../errors.ts'
import type { TokenRequest } from '../../token.ts'
import { OutOfTime } from '../bounded.ts'
import { isPassingStatus, isTlsCode } from './transport.ts'

/** What was being done. */
export interface Attempt {
  /** Whose credential asked, as gcloud's members are written: `user:ann@acme.com`. */
  caller: string
  /** The credential's form, for the fix of a refused one. */
  credential: 'key' | 'user' | 'federated' | 'machine'
  /** Who is impersonated; absent for a credential's own tokens. */
  target?: string
  kind: TokenRequest['kind']
  quotaProject: string
}

const PERMISSIONS = {
  id: { permission: 'iam.serviceAccounts.getOpenIdToken', role: 'roles/iam.serviceAccountOpenIdTokenCreator' },
  access: { permission: 'iam.serviceAccounts.getAccessToken', role: 'roles/iam.serviceAccountTokenCreator' },
} as const

interface Refusal {
  status: number
  /** OAuth's form, of oauth2 and sts. */
  error?: string
  error_description?: string
  error_subtype?: string
  /** Google API's form. */
  api?: { message: string; reasons: readonly string[]; metadata: Readonly<Record<string, string>> }
}

export function explainFailure(thrown: unknown, attempt: Attempt): SidemintError {
  if (thrown instanceof SidemintError) return thrown
  const host = hostOf(thrown)
  if (thrown instanceof OutOfTime) return failure('UPSTREAM_TIMEOUT', { host })
  const refusal = readRefusal(thrown)
  if (refusal !== undefined) return explainRefusal(refusal, attempt, host)
  const { code } = thrown as { code?: unknown }
  if (typeof code === 'string' && isTlsCode(code)) return failure('TLS_UNTRUSTED', { host, reason: code })
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code))
    return failure('NETWORK_DOWN', { host, reason: code, proxy: proxy() })
  return isUnreadableSubject(thrown) ? failure('SUBJECT_TOKEN_MISSING', {}) : garbage(host)
}

export function garbage(host: string): SidemintError {
  return failure('UPSTREAM_GARBAGE', { host })
}

function explainRefusal(refusal: Refusal, attempt: Attempt, host: string): SidemintError {
  const { status } = refusal
  if (status === 429) return failure('RATE_LIMITED', { host })
  if (isPassingStatus(status)) return failure('UPSTREAM_UNAVAILABLE', { host, status: String(status) })
  if (refusal.api !== undefined) return explainApi(refusal.api, status, attempt, host)
  if (refusal.error !== undefined) return explainOauth(refusal, attempt, host)
  return status >= 400
    ? failure('UPSTREAM_REFUSED', { host, status: String(status), reason: 'no reason given' })
    : garbage(host)
}

function explainOauth(refusal: Refusal, { credential, caller }: Attempt, host: string): SidemintError {
  const { error = '', error_description = '', error_subtype = '' } = refusal
  if (/invalid_rapt|reauth/i.test(`${error_subtype} ${error_description}`))
    return failure('REAUTH_REQUIRED', { caller })
  if (credential === 'key') return failure('KEY_REFUSED', { caller, reason: plain(error_description || error) })
  if (credential === 'federated')
    return failure('SUBJECT_TOKEN_REFUSED', { reason: plain(`${error} ${error_description}`) })
  if (error === 'invalid_grant') return failure('LOGIN_EXPIRED', { caller })
  return failure('UPSTREAM_REFUSED', {
    host,
    status: String(refusal.status),
    reason: plain(`${error} ${error_description}`),
  })
}

function explainApi(
  { message, reasons, metadata }: NonNullable<Refusal['api']>,
  status: number,
  { caller, target = '', kind, quotaProject }: Attempt,
  host: string,
): SidemintError {
  const project = metadata.consumer?.replace(/^projects\//, '') ?? quotaProject
  if (reasons.includes('SERVICE_DISABLED')) return failure('API_DISABLED', { project })
  if (reasons.includes('USER_PROJECT_DENIED')) return failure('QUOTA_PROJECT_DENIED', { caller, project: quotaProject })
  if (status === 403) return failure('IMPERSONATION_DENIED', { caller, target, ...PERMISSIONS[kind] })
  if (status === 404) return failure('ACCOUNT_NOT_FOUND', { target })
  return failure('UPSTREAM_REFUSED', { host, status: String(status), reason: plain(message) })
}

/** STS failures are plain errors of the library's with the response as a property. */
function readRefusal(thrown: unknown): Refusal | undefined {
  const { response } = thrown as { response?: { status?: number; data?: unknown } }
  if (response?.status === undefined) return undefined
  const data = asObject(response.data)
  const { status } = response
  if (typeof data?.error === 'string') return { ...(data as { error: string }), status }
  const error = asObject(data?.error)
  if (error === undefined) return { status }
  const details = Array.isArray(error.details) ? error.details.map(asObject) : []
  const reasons = details.flatMap((detail) => (typeof detail?.reason === 'string' ? [detail.reason] : []))
  const metadata = details.map((detail) => asObject(detail?.metadata)).find((found) => found !== undefined)
  return {
    status,
    api: { message: String(error.message ?? ''), reasons, metadata: (metadata ?? {}) as Record<string, string> },
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  if (typeof value === 'string') return parsed(value)
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}

function parsed(value: string): Record<string, unknown> | undefined {
  try {
    return asObject(JSON.parse(value) as object)
  } catch {
    return undefined
  }
}

/** The library reads a subject token from a file, a URL or a program, and says in words what it lacks. */
function isUnreadableSubject(thrown: unknown): boolean {
  return thrown instanceof Error && /subject[ _]token|credential_source|executable|file at/i.test(thrown.message)
}

function hostOf(thrown: unknown): string {
  const { config } = thrown as { config?: { url?: unknown } }
  try {
    return new URL(String(config?.url)).hostname
  } catch {
    return 'Google'
  }
}

function proxy(): string {
  const { HTTPS_PROXY, https_proxy } = process.env
  return (HTTPS_PROXY ?? https_proxy) ? 'HTTPS_PROXY is set' : 'HTTPS_PROXY is not set'
}

/** Google's own words, without anything that could be a token. */
function plain(words: string): string {
  return words
    .trim()
    .replace(/[\w.~+/-]{40,}/g, '…')
    .slice(0, 200)
}
