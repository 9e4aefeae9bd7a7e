/**
 * Application Default Credentials: which file they are in, by Google's own rules, and what the file says. It is
 * parsed here, not by the library, whose loaders spawn gcloud and probe for a metadata server.
 */

import { createPrivateKey } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import * as v from 'valibot'
import { failure } from '../core/errors.ts'

/** Where the file is, or would be. */
export interface AdcPlace {
  path: string
  /** What points there, in words. */
  why: string
}

/** The credentials, whatever form the file has: what is asked of each is decided by its kind. */
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
      /** Of its access tokens, where the file says it. */
      lifetimeSeconds?: number | undefined
      source: Credential
    }
  | { kind: 'gdch' }

export interface Adc {
  credential: Credential
  /** Sent as x-goog-user-project. */
  quotaProject?: string
  project?: string
  /** The `universe_domain` that the file names: whose hosts the credential may be sent to. */
  universe?: string
}

const FILE = 'application_default_credentials.json'

/**
 * The variable names the file, else it is in gcloud's directory. `SIDEMINT_HOST_CLOUDSDK_CONFIG` is what
 * CLOUDSDK_CONFIG was before `sidemint env` pointed it at an empty directory; empty: it was not set.
 */
export function locateAdc(env: NodeJS.ProcessEnv): AdcPlace {
  if (env.GOOGLE_APPLICATION_CREDENTIALS) {
    return { path: env.GOOGLE_APPLICATION_CREDENTIALS, why: 'GOOGLE_APPLICATION_CREDENTIALS names it' }
  }
  const directory = env.SIDEMINT_HOST_CLOUDSDK_CONFIG ?? env.CLOUDSDK_CONFIG
  if (directory) return { path: join(directory, FILE), why: 'CLOUDSDK_CONFIG names its directory' }
  const home =
    process.platform === 'win32' ? join(env.APPDATA ?? '', 'gcloud') : join(env.HOME ?? homedir(), '.config', 'gcloud')
  return { path: join(home, FILE), why: 'gcloud keeps it there' }
}

/** The login that was made in a shell in which `sidemint env` had hidden gcloud's own directory, if there is one. */
export function misplacedLogin(env: NodeJS.ProcessEnv): string | undefined {
  return env.SIDEMINT_HOST_CLOUDSDK_CONFIG === undefined || !env.CLOUDSDK_CONFIG
    ? undefined
    : join(env.CLOUDSDK_CONFIG, FILE)
}

/** Such a login would be found by no client, and by us only in the wrong place. */
export async function refuseMisplacedLogin(env: NodeJS.ProcessEnv): Promise<void> {
  const path = misplacedLogin(env)
  if (path === undefined || !(await stat(path).catch(() => undefined))?.isFile()) return
  const directory = env.SIDEMINT_HOST_CLOUDSDK_CONFIG
  const variable = directory ? `CLOUDSDK_CONFIG=${directory}` : 'env -u CLOUDSDK_CONFIG'
  throw failure('LOGIN_MISPLACED', { path, login: `${variable} gcloud auth application-default login` })
}

/** Reads the file. Throws CREDENTIALS_MISSING, CREDENTIALS_UNREADABLE or CREDENTIALS_MALFORMED. */
export async function readAdc({ path, why }: AdcPlace): Promise<Adc> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw failure('CREDENTIALS_MISSING', { path, why })
    if (code === 'EISDIR') {
      throw malformed(path, 'it is a directory, as Docker makes one where the file to mount is missing')
    }
    throw failure('CREDENTIALS_UNREADABLE', { path, me: uidOf(process), ...(await describeOwner(path, code)) })
  }
  return parseAdc(path, text)
}

/** Who may read it, or where its directory is closed, who may enter that. */
async function describeOwner(path: string, code: string): Promise<{ reason: string; uid: string }> {
  for (const [what, place] of [
    ['its', path],
    ["its directory's", dirname(path)],
  ] as const) {
    const found = await stat(place).catch(() => undefined)
    if (found === undefined) continue
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
    return { reason: `${what} owner is uid ${found.uid}, mode ${mode}`, uid: String(found.uid) }
  }
  return { reason: code, uid: '$(id -u)' }
}

function uidOf({ geteuid }: NodeJS.Process): string {
  return geteuid === undefined ? 'this user' : `uid ${geteuid()}`
}

const text = v.pipe(v.string(), v.nonEmpty())
const url = v.pipe(v.string(), v.url())
const serviceAccountKey = v.looseObject({ client_email: text, private_key: v.pipe(text, v.check(isPrivateKey)) })
const userLogin = v.looseObject({ client_id: text, client_secret: text, refresh_token: text })
const impersonated = v.looseObject({
  service_account_impersonation_url: text,
  source_credentials: v.looseObject({ type: text }),
  delegates: v.optional(v.array(text), []),
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

function parseAdc(path: string, content: string): Adc {
  let data: AdcJson
  try {
    data = JSON.parse(content)
  } catch {
    throw malformed(path, content.trim() === '' ? 'it is empty' : 'it is no JSON, or only half written')
  }
  if (typeof data !== 'object' || data === null) throw malformed(path, 'it is no JSON object')
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
  if (typeof domain === 'string' && /^[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(domain)) return { universe: domain }
  throw malformed(path, 'its universe_domain is not a domain name')
}

interface AdcJson {
  type?: unknown
  quota_project_id?: unknown
  project_id?: unknown
  universe_domain?: unknown
  source_credentials?: AdcJson
}

function readCredential(path: string, data: { type?: unknown }): Credential {
  const check = <S extends v.GenericSchema>(schema: S): v.InferOutput<S> => {
    const result = v.safeParse(schema, data)
    if (result.success) return result.output
    const fields = result.issues.map((issue) => (issue.path ?? []).map(({ key }) => key).join('.'))
    throw malformed(path, `its ${data.type} lacks a usable ${fields.join(', ')}`)
  }
  switch (data.type) {
    case 'service_account': {
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
        delegates: json.delegates.map(accountOf),
        source: readCredential(path, json.source_credentials),
      }
    }
    case 'external_account': {
      const { service_account_impersonation_url: url, service_account_impersonation, ...json } = check(federated)
      const source: Credential = { kind: 'federated', json }
      // Left in place, the library would impersonate first, and the account would need a grant on itself.
      if (url === undefined) return source
      const lifetimeSeconds = service_account_impersonation?.token_lifetime_seconds
      return { kind: 'impersonated', email: impersonationTarget(path, url), delegates: [], lifetimeSeconds, source }
    }
    case 'external_account_authorized_user':
      return { kind: 'workforce', json: check(workforceLogin) }
    case 'gdch_service_account':
      return { kind: 'gdch' }
    default:
      throw malformed(
        path,
        data.type === undefined ? 'it has no type' : `its type ${JSON.stringify(data.type)} is unknown`,
      )
  }
}

function impersonationTarget(path: string, url: string): string {
  const email = /\/serviceAccounts\/([^/:]+):generate(?:Access|Id)Token$/.exec(url)?.[1]
  if (email === undefined) throw malformed(path, 'its service_account_impersonation_url names no service account')
  return decodeURIComponent(email)
}

/** Files name delegates as IAM Credentials takes them, `projects/-/serviceAccounts/EMAIL`; we keep emails. */
function accountOf(resource: string): string {
  return resource.replace(/^projects\/[^/]+\/serviceAccounts\//, '')
}

function malformed(path: string, reason: string): Error {
  return failure('CREDENTIALS_MALFORMED', { path, reason })
}

/** The account that a credential is by itself; a user's email is not in the file. */
export function emailOf(credential: Credential): string | undefined {
  return 'email' in credential ? credential.email : undefined
}

/** The credential at the end of a chain of impersonations: the one whose own token comes first. */
export function rootOf<C extends { kind: string; source?: C }>(credential: C): Exclude<C, { kind: 'impersonated' }> {
  return credential.source === undefined
    ? (credential as Exclude<C, { kind: 'impersonated' }>)
    : rootOf(credential.source)
}
