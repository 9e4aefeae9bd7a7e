/**
 * Google's own variables that name accounts and projects, read as people and env files write them. A value that holds
 * none is reported as a wrong setting and never sent to Google.
 */

import { emailIn, projectIn } from '../core/accounts.ts'
import { quoted } from '../core/schemas.ts'
import { invalid, splitList } from './layers.ts'

export const INHERITED = 'CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT'

/**
 * The accounts of gcloud's variable: the last is to be impersonated, those before it are the delegates. Undefined where
 * it names none. Throws SETTINGS_INVALID.
 */
export function inheritedChain(env: NodeJS.ProcessEnv): readonly string[] | undefined {
  const chain = splitList(env[INHERITED] ?? '')
  return chain.length === 0 ? undefined : chain.map((written) => read(INHERITED, written, emailIn, 'an email'))
}

/** The project that the environment names. Throws SETTINGS_INVALID. */
export function standardProject(env: NodeJS.ProcessEnv): string | undefined {
  return readProject('GOOGLE_CLOUD_PROJECT', env) ?? readProject('GCLOUD_PROJECT', env)
}

/** The quota project that the environment names (docs/minting.md, "Quota project"). Throws SETTINGS_INVALID. */
export function standardQuotaProject(env: NodeJS.ProcessEnv): string | undefined {
  return readProject('GOOGLE_CLOUD_QUOTA_PROJECT', env)
}

function readProject(variable: string, { [variable]: written = '' }: NodeJS.ProcessEnv): string | undefined {
  return written.trim() === '' ? undefined : read(variable, written, projectIn, 'a project id')
}

function read(variable: string, written: string, readIt: (text: string) => string | undefined, what: string): string {
  const value = readIt(written)
  if (value === undefined) throw invalid([`${variable}: must be ${what}, not ${quoted(written)}`])
  return value
}
