/** What a refusal of Google's means, and what to type (docs/minting.md, "Refusals"). */

import { failure, type SidemintError } from '../../core/errors.ts'
import { ADC_PROJECT, GCLOUD_PROJECT } from '../../core/google.ts'
import type { TokenRequest } from '../../core/token.ts'
import type { Credential } from '../adc.ts'
import { plain, type Refusal } from './refusal.ts'

/** The owner of a credential. */
export interface Holder {
  /** For people. */
  name: string
  /** In the form of gcloud's `--member`. */
  member: string
}

/** What was attempted. */
export interface Attempt {
  holder: Holder
  /** The form of the credential, for its fix. */
  form: Exclude<Credential['kind'], 'impersonated'> | 'machine'
  kind: TokenRequest['kind']
  /** The account that is impersonated; absent for a credential's own tokens. */
  target?: string
  delegates?: readonly string[]
  quotaProject?: string | undefined
}

/** Explains the refusal of an attempt. */
export function explainRefusal(refusal: Refusal, attempt: Attempt): SidemintError {
  if (refusal.api !== undefined) return explainApi(refusal.api, refusal, attempt)
  if (refusal.oauth !== undefined) return explainOauth(refusal.oauth, refusal, attempt)
  return refused(refusal, refusal.reason || 'no reason given')
}

function explainOauth(
  { error, description, subtype }: NonNullable<Refusal['oauth']>,
  refusal: Refusal,
  { form, holder: { name: caller }, kind }: Attempt,
): SidemintError {
  const { reason } = refusal
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
    : failure('LOGIN_EXPIRED', { caller, reason })
}

const PERMISSIONS = { id: 'iam.serviceAccounts.getOpenIdToken', access: 'iam.serviceAccounts.getAccessToken' } as const
const DELEGATION = 'iam.serviceAccounts.implicitDelegation'
/** gcloud's own projects, for which a call is counted where a login has no quota project (docs/minting.md, "Quota project"). */
const GCLOUD_PROJECTS = [ADC_PROJECT, GCLOUD_PROJECT]

function explainApi(
  { message, reasons, metadata }: NonNullable<Refusal['api']>,
  refusal: Refusal,
  attempt: Attempt,
): SidemintError {
  const { holder: caller, target = '', kind, quotaProject } = attempt
  const consumer = String(metadata.consumer ?? quotaProject ?? 'PROJECT').replace(/^projects\//, '')
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
  const id = String(metadata.uid ?? '')
  const named = id === '' || message.includes(id) ? message : `${message} vpcServiceControlsUniqueIdentifier: ${id}`
  return refused(refusal, plain(named))
}

/** In a chain Google names the permission, not the hop: the last hop asks for the token, those before it delegate. */
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
