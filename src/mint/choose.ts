/** Who mints. Decided once, at the start, by what is there and never by what works. */

import { existsSync } from 'node:fs'
import { invalid } from '../config/layers.ts'
import type { Settings } from '../config/settings.ts'
import { METADATA_ADDRESS } from '../core/google.ts'
import { locateAdc, misplacedLogin } from './adc-place.ts'

/** The source, and why this one, for people. `host` is host and port. */
export type Choice = { name: 'local' | 'google'; why: string } | { name: 'metadata'; why: string; host: string }

/**
 * `auto` is google as soon as anything points at credentials, even at a file that is missing: that is then reported as
 * an error, where a local token would puzzle somebody in another service. Throws SETTINGS_INVALID where
 * SIDEMINT_CREDENTIALS is set but empty, as in the job of a fork, which gets no secrets.
 */
export function chooseSource(
  settings: Pick<Settings, 'source' | 'impersonateServiceAccount'>,
  env: NodeJS.ProcessEnv,
): Choice {
  const [name, host = METADATA_ADDRESS] = settings.source.split('=')
  if (name === 'metadata') return { name, why: `the metadata server at ${host}, as asked`, host }
  if (name === 'local') return { name, why: 'as asked' }
  refuseEmptyCredentials(env)
  if (name === 'google') return { name, why: 'as asked' }
  const why = pointerOf(settings, env)
  return why === undefined
    ? {
        name: 'local',
        why: `no Google credentials were found (no GOOGLE_APPLICATION_CREDENTIALS, no ${locateAdc(env).name})`,
      }
    : { name: 'google', why }
}

/** Throws SETTINGS_INVALID. */
export function refuseEmptyCredentials(env: NodeJS.ProcessEnv): void {
  if (env.SIDEMINT_CREDENTIALS?.trim() !== '') return
  throw invalid([
    "SIDEMINT_CREDENTIALS: is set and empty (a job of a fork gets no secrets); give it a credential file's content, unset it, or choose --source local",
  ])
}

/** What says that there are credentials, in words. */
function pointerOf(
  { impersonateServiceAccount }: Pick<Settings, 'impersonateServiceAccount'>,
  env: NodeJS.ProcessEnv,
): string | undefined {
  const { name, path, content, why } = locateAdc(env)
  const login = misplacedLogin(env)
  if (content !== undefined) return `${name} is set`
  if (env.GOOGLE_APPLICATION_CREDENTIALS) {
    return path === undefined ? `${name} is set, though ${why}` : `GOOGLE_APPLICATION_CREDENTIALS is ${path}`
  }
  if (impersonateServiceAccount !== undefined) return `${impersonateServiceAccount.at(-1)} is to be impersonated`
  if (env.CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT) {
    return 'CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT names an account to impersonate'
  }
  if (env.SIDEMINT_HOST_CLOUDSDK_CONFIG ?? env.CLOUDSDK_CONFIG) return `CLOUDSDK_CONFIG points at ${name}`
  if (existsSync(name)) return `${name} is there`
  return login !== undefined && existsSync(login) ? `${login} is there` : undefined
}
