/**
 * The content of an Application Default Credentials file. It is parsed here and not by the library, whose loaders run
 * gcloud and probe for a metadata server (docs/minting.md, "Loaders that are not used").
 */

import { createPrivateKey } from 'node:crypto'
import * as v from 'valibot'
import { isEmail } from '../core/accounts.ts'
import { describeDamage, describeType, KEY_FIX, malformed, readJson } from './adc-json.ts'
import { accountOf, impersonationTarget, isAccount } from './adc-target.ts'
import { DEFAULT_UNIVERSE, isUniverse } from './universe.ts'

/** The credentials in whatever form the file has; `kind` decides how each is used (docs/minting.md, "What each credential can mint"). */
export type Credential =
  | { kind: 'key'; email: string; json: ServiceAccountKey }
  | { kind: 'user'; json: UserLogin }
  /** A workload outside of Google: `external_account`. */
  | { kind: 'federated'; json: FederatedCredential }
  /** A user of a workforce pool: `external_account_authorized_user`. */
  | { kind: 'workforce'; json: WorkforceLogin }
  | {
      kind: 'impersonated'
      email: string
      delegates: readonly string[]
      /** How long its access tokens live, where the file says so. */
      lifetimeSeconds?: number | undefined
      source: Credential
    }
  | { kind: 'gdch' }

export interface Adc {
  credential: Credential
  /** Sent as x-goog-user-project. */
  quotaProject?: string
  project?: string
  /** The file's `universe_domain`: the credential may be sent to its hosts only. */
  universe?: string
}

const text = v.pipe(v.string(), v.nonEmpty())
const url = v.pipe(v.string(), v.url())
const serviceAccountKey = v.looseObject({
  client_email: v.pipe(text, v.check(isEmail)),
  private_key: v.pipe(text, v.check(isPrivateKey)),
})
const userLogin = v.looseObject({ client_id: text, client_secret: text, refresh_token: text })
const impersonated = v.looseObject({
  service_account_impersonation_url: text,
  source_credentials: v.looseObject({ type: text }),
  delegates: v.optional(v.array(v.pipe(text, v.transform(accountOf), v.check(isAccount))), []),
})
const federated = v.looseObject({
  audience: text,
  subject_token_type: text,
  token_url: v.optional(url),
  service_account_impersonation_url: v.optional(text),
  service_account_impersonation: v.optional(v.looseObject({ token_lifetime_seconds: v.optional(v.number()) })),
  credential_source: v.looseObject({
    file: v.optional(text),
    url: v.optional(url),
    environment_id: v.optional(text),
    executable: v.optional(
      v.looseObject({ command: text, timeout_millis: v.optional(v.number()), output_file: v.optional(text) }),
    ),
  }),
})
const workforceLogin = v.looseObject({
  ...userLogin.entries,
  audience: v.optional(text),
  token_url: v.optional(url),
})

export type ServiceAccountKey = v.InferOutput<typeof serviceAccountKey>
export type UserLogin = v.InferOutput<typeof userLogin>
export type FederatedCredential = v.InferOutput<typeof federated>
export type CredentialSource = FederatedCredential['credential_source']
export type WorkforceLogin = v.InferOutput<typeof workforceLogin>

function isPrivateKey(pem: string): boolean {
  try {
    createPrivateKey(pem)
    return true
  } catch {
    return false
  }
}

/** `path` names the place in an error. Throws CREDENTIALS_MALFORMED. */
export function parseAdc(path: string, bytes: Buffer): Adc {
  const data: AdcJson = readJson(path, bytes)
  const credential = readCredential(path, data)
  const quotaProject = data.quota_project_id ?? data.source_credentials?.quota_project_id
  return {
    credential,
    ...(typeof quotaProject === 'string' && quotaProject !== '' ? { quotaProject } : {}),
    ...(typeof data.project_id === 'string' ? { project: data.project_id } : {}),
    ...readUniverse(path, data.universe_domain ?? data.source_credentials?.universe_domain),
  }
}

function readUniverse(path: string, domain: unknown): Pick<Adc, 'universe'> {
  if (domain === undefined || domain === '') return {}
  if (typeof domain === 'string' && isUniverse(domain)) return { universe: domain }
  throw malformed(path, 'its universe_domain is not a domain name')
}

interface AdcJson {
  type?: unknown
  quota_project_id?: unknown
  project_id?: unknown
  universe_domain?: unknown
  source_credentials?: AdcJson
}

/** Each is a call to Google at every mint. They are read recursively, and a file might have thousands. */
const MOST_HOPS = 10

function readCredential(path: string, data: { type?: unknown }, hops = 0): Credential {
  if (hops > MOST_HOPS) throw malformed(path, `its source_credentials lie more than ${MOST_HOPS} deep in each other`)
  const check = <S extends v.GenericSchema>(schema: S): v.InferOutput<S> => {
    const result = v.safeParse(schema, data)
    if (result.success) return result.output
    const fields = result.issues.map((issue) => (issue.path ?? []).map(({ key }) => key).join('.'))
    const fix = data.type === 'service_account' ? KEY_FIX : undefined
    throw malformed(path, `its ${data.type} lacks a usable ${fields.join(', ')}`, fix)
  }
  switch (data.type) {
    case 'service_account': {
      const damage = describeDamage((data as { private_key?: unknown }).private_key)
      if (damage !== undefined) throw malformed(path, damage, KEY_FIX)
      const json = check(serviceAccountKey)
      return { kind: 'key', email: json.client_email, json }
    }
    case 'authorized_user':
      return { kind: 'user', json: check(userLogin) }
    case 'impersonated_service_account': {
      const json = check(impersonated)
      const email = impersonationTarget(path, json.service_account_impersonation_url)
      return {
        kind: 'impersonated',
        email,
        delegates: json.delegates,
        source: readCredential(path, json.source_credentials, hops + 1),
      }
    }
    case 'external_account': {
      const { service_account_impersonation_url: url, service_account_impersonation, ...json } = check(federated)
      const source: Credential = { kind: 'federated', json }
      // With it the library would impersonate first, and the account would need a grant on itself (docs/minting.md, "Impersonation").
      if (url === undefined) return source
      const lifetimeSeconds = service_account_impersonation?.token_lifetime_seconds
      return { kind: 'impersonated', email: impersonationTarget(path, url), delegates: [], lifetimeSeconds, source }
    }
    case 'external_account_authorized_user':
      return { kind: 'workforce', json: check(workforceLogin) }
    case 'gdch_service_account':
      return { kind: 'gdch' }
    default:
      throw describeType(path, data)
  }
}

/** What a credential is, for people. */
export function describeCredential(credential: Credential): string {
  switch (credential.kind) {
    case 'key':
      return `service account key of ${credential.email}`
    case 'user':
      return 'user login'
    case 'federated':
      return 'workload identity federation'
    case 'workforce':
      return 'workforce login'
    case 'impersonated':
      return `${describeCredential(credential.source)}, impersonating ${credential.email}`
    case 'gdch':
      return 'GDCH service account'
  }
}

/** What credentials are, and of which universe where that is not Google's own. */
export function describeAdc({ credential, universe = DEFAULT_UNIVERSE }: Pick<Adc, 'credential' | 'universe'>): string {
  const of = universe === DEFAULT_UNIVERSE ? '' : ` of the universe ${universe}`
  return `${describeCredential(credential)}${of}`
}

/** The credential's own account; undefined for a user, whose file has no email. */
export function emailOf(credential: Credential): string | undefined {
  return 'email' in credential ? credential.email : undefined
}

/**
 * Whose a credential's own tokens are. A `user` is signed in with Google, and a `pool user` with the identity provider of
 * a workforce pool: their tokens have all rights of that person.
 */
function ownerOf({ kind }: Credential): 'user' | 'pool user' | 'workload' {
  switch (kind) {
    case 'user':
      return 'user'
    case 'workforce':
      return 'pool user'
    case 'key':
    case 'federated':
    case 'impersonated':
    case 'gdch':
      return 'workload'
  }
}

/** Whether its tokens are a person's, with all rights of that person. */
export function isPersonal(credential: Credential): boolean {
  return ownerOf(credential) !== 'workload'
}

/**
 * Whether it is a login with Google: the `aud` of its ID tokens is its client id, whatever is asked for, they have an email
 * where it has the scope for it, and Google counts its calls for a quota project (docs/minting.md, "What each credential
 * can mint" and "Quota project").
 */
export function isGoogleLogin(credential: Credential): boolean {
  return ownerOf(credential) === 'user'
}

/** The credential at the end of a chain of impersonations: the one whose own token comes first. */
export function rootOf<C extends { kind: string; source?: C }>(credential: C): Exclude<C, { kind: 'impersonated' }> {
  return credential.source === undefined
    ? (credential as Exclude<C, { kind: 'impersonated' }>)
    : rootOf(credential.source)
}
