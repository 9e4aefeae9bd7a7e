/**
 * Application Default Credentials: which file they are in, by Google's own rules, and what the file says. It is
 * parsed here, not by the library, whose loaders spawn gcloud and probe for a metadata server.
 */

import { readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { failure } from './errors.ts'

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
  /** A federated identity: `external_account`, `external_account_authorized_user`. */
  | { kind: 'federated'; json: { type: string; [key: string]: unknown } }
  | { kind: 'impersonated'; email: string; delegates: readonly string[]; source: Credential }
  | { kind: 'gdch' }

export interface Adc {
  credential: Credential
  /** Sent as x-goog-user-project. */
  quotaProject?: string
  project?: string
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

/** What changes when the file is written, replaced or removed; a bind-mounted directory shows all three. */
export async function versionOf(path: string): Promise<string> {
  try {
    const { ino, mtimeMs, size } = await stat(path)
    return `${ino} ${mtimeMs} ${size}`
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

/** Reads the file. Throws CREDENTIALS_MISSING, CREDENTIALS_UNREADABLE or CREDENTIALS_MALFORMED. */
export async function readAdc({ path, why }: AdcPlace): Promise<Adc> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw failure('CREDENTIALS_MISSING', { path, why })
    throw failure('CREDENTIALS_UNREADABLE', { path, ...(await owner(path)) })
  }
  return parseAdc(path, text)
}

async function owner(path: string): Promise<{ reason: string; me: string; uid: string }> {
  const me = String(process.getuid?.() ?? 'this user')
  try {
    const { uid, mode } = await stat(path)
    return { reason: `its owner is uid ${uid}, its mode 0${(mode & 0o777).toString(8)}`, me, uid: String(uid) }
  } catch (error) {
    return { reason: String((error as NodeJS.ErrnoException).code), me, uid: '$(id -u)' }
  }
}

const text = v.pipe(v.string(), v.nonEmpty())
const serviceAccountKey = v.looseObject({ client_email: text, private_key: text })
const userLogin = v.looseObject({ client_id: text, client_secret: text, refresh_token: text })
const impersonated = v.looseObject({
  service_account_impersonation_url: text,
  source_credentials: v.looseObject({ type: text }),
  delegates: v.optional(v.array(text), []),
})
const federated = v.looseObject({ type: text, service_account_impersonation_url: v.optional(text) })

export type ServiceAccountKey = v.InferOutput<typeof serviceAccountKey>
export type UserLogin = v.InferOutput<typeof userLogin>

function parseAdc(path: string, content: string): Adc {
  let data: { type?: unknown; quota_project_id?: unknown; project_id?: unknown }
  try {
    data = JSON.parse(content)
  } catch {
    throw malformed(path, content.trim() === '' ? 'it is empty' : 'it is no JSON, or only half written')
  }
  if (typeof data !== 'object' || data === null) throw malformed(path, 'it is no JSON object')
  return {
    credential: readCredential(path, data),
    ...(typeof data.quota_project_id === 'string' ? { quotaProject: data.quota_project_id } : {}),
    ...(typeof data.project_id === 'string' ? { project: data.project_id } : {}),
  }
}

function readCredential(path: string, data: { type?: unknown }): Credential {
  const check = <S extends v.GenericSchema>(schema: S): v.InferOutput<S> => {
    const result = v.safeParse(schema, data)
    if (result.success) return result.output
    const fields = result.issues.map((issue) => (issue.path ?? []).map(({ key }) => key).join('.'))
    throw malformed(path, `its ${data.type} lacks ${fields.join(', ')}`)
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
        delegates: json.delegates,
        source: readCredential(path, json.source_credentials),
      }
    }
    case 'external_account':
    case 'external_account_authorized_user': {
      const { service_account_impersonation_url: url, ...json } = check(federated)
      const source: Credential = { kind: 'federated', json }
      // Left in place, the library would impersonate first, and the account would need a grant on itself.
      return url === undefined
        ? source
        : { kind: 'impersonated', email: impersonationTarget(path, url), delegates: [], source }
    }
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
  const email = /\/serviceAccounts\/([^/:]+):generateAccessToken$/.exec(url)?.[1]
  if (email === undefined) throw malformed(path, 'its service_account_impersonation_url names no service account')
  return decodeURIComponent(email)
}

function malformed(path: string, reason: string): Error {
  return failure('CREDENTIALS_MALFORMED', { path, reason })
}
