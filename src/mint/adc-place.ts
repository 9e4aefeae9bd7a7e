/** Where the Application Default Credentials are: SIDEMINT_CREDENTIALS first, then by Google's own rules. */

import { stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { type Code, failure, SidemintError } from '../core/errors.ts'
import { isPathLike } from '../core/schemas.ts'

export interface AdcPlace {
  /** For people: the file's path, or the variable that holds the content. Never a secret. */
  name: string
  /** Why it is looked for there, in words. */
  why: string
  /** The file; absent where a variable has the content itself, or something that is not a path. */
  path?: string
  /** The content of SIDEMINT_CREDENTIALS. */
  content?: string
  /** `gcloud auth application-default login` writes there. */
  isGcloudFile?: boolean
}

const FILE = 'application_default_credentials.json'

/**
 * SIDEMINT_CREDENTIALS has the content; else GOOGLE_APPLICATION_CREDENTIALS names the file; else it is in gcloud's
 * directory (cloud.google.com/docs/authentication/application-default-credentials). `SIDEMINT_HOST_CLOUDSDK_CONFIG` is what CLOUDSDK_CONFIG was before `sidemint env` pointed it at an empty
 * directory; empty: it was not set.
 */
export function locateAdc(env: NodeJS.ProcessEnv): AdcPlace {
  const { SIDEMINT_CREDENTIALS: content, GOOGLE_APPLICATION_CREDENTIALS: named } = env
  if (content !== undefined) {
    return { name: 'SIDEMINT_CREDENTIALS', why: 'it holds the credentials', content }
  }
  if (named) return placeOf(named)
  const { directory, why } = gcloudDirectory(env)
  const path = join(directory, FILE)
  if (!isPathLike(directory)) return { name: 'CLOUDSDK_CONFIG', why: 'it does not hold a path' }
  return { name: path, path, why, isGcloudFile: true }
}

/** Where gcloud keeps its logins, and why there. */
export function gcloudDirectory(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform = process.platform,
): { directory: string; why: string } {
  const directory = env.SIDEMINT_HOST_CLOUDSDK_CONFIG ?? env.CLOUDSDK_CONFIG
  if (directory) return { directory, why: 'CLOUDSDK_CONFIG names its directory' }
  const home =
    platform === 'win32' ? join(env.APPDATA ?? '', 'gcloud') : join(env.HOME ?? homedir(), '.config', 'gcloud')
  return { directory: home, why: 'gcloud keeps it there' }
}

/** The variable may name gcloud's own file, as where its directory is mounted. */
function placeOf(named: string): AdcPlace {
  const variable = 'GOOGLE_APPLICATION_CREDENTIALS'
  if (!isPathLike(named)) return { name: variable, why: 'it does not hold a path' }
  return { name: named, path: named, why: `${variable} names it`, isGcloudFile: basename(named) === FILE }
}

/** A login that was made in a shell where `sidemint env` had hidden gcloud's own directory, if there is one. */
export function misplacedLogin(env: NodeJS.ProcessEnv): string | undefined {
  return env.SIDEMINT_HOST_CLOUDSDK_CONFIG === undefined || !env.CLOUDSDK_CONFIG
    ? undefined
    : join(env.CLOUDSDK_CONFIG, FILE)
}

/** No client would find such a login, and we would find it in the wrong place. */
export async function refuseMisplacedLogin(env: NodeJS.ProcessEnv): Promise<void> {
  const path = misplacedLogin(env)
  if (path === undefined || !(await stat(path).catch(() => undefined))?.isFile()) return
  const directory = env.SIDEMINT_HOST_CLOUDSDK_CONFIG
  const variable = directory ? `CLOUDSDK_CONFIG=${directory}` : 'env -u CLOUDSDK_CONFIG'
  throw failure('LOGIN_MISPLACED', { path, login: `${variable} gcloud auth application-default login` })
}

/** The command that writes another login there. */
export function loginFix({ path, name, isGcloudFile }: AdcPlace): string {
  const login = 'gcloud auth application-default login'
  if (isGcloudFile) return `${login} on the host (not gcloud auth login)`
  if (path === undefined) return `${login} on the host, and unset ${name}`
  return `${login} writes another file than GOOGLE_APPLICATION_CREDENTIALS names: unset that, or copy the new file there`
}

/** The same failure, with another fix where its own would write gcloud's file and that is not the one which is read. */
export function explainAt(place: AdcPlace, thrown: unknown): unknown {
  if (place.isGcloudFile || !(thrown instanceof SidemintError)) return thrown
  const { code, status, message } = thrown
  const fix = FIXES[code]?.(loginFix(place))
  return fix === undefined ? thrown : new SidemintError(code, status, message, fix)
}

const FIXES: Partial<Record<Code, (login: string) => string>> = {
  LOGIN_EXPIRED: (login) => login,
  REAUTH_REQUIRED: (login) => login,
  CREDENTIALS_UNUSABLE: (login) => login,
  LOGIN_TOO_NARROW: (login) => `${login}. Log in without --scopes, or with cloud-platform among them`,
}

/** What may be wrong with a path where no file is: a `~`, a variable or quotes that no shell has replaced. */
export function oddity(path: string, platform: NodeJS.Platform = process.platform): string | undefined {
  if (/^["']|["']$/.test(path)) return 'has quotes around it, which `docker run --env-file` and .env readers may keep'
  if (path.startsWith('~')) return 'begins with ~, which only a shell expands'
  if (/\$\w+|\$\{|%\w+%/.test(path)) return 'holds a variable, which only a shell expands'
  if (/^[A-Za-z]:[\\/]|^\\\\/.test(path) && platform !== 'win32') return `is a path of Windows, and this is ${platform}`
  return path === path.trim() ? undefined : 'begins or ends with a space'
}
