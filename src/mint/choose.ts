/** Who mints: decided once at start, by what is there and never by what works. */

import { existsSync } from 'node:fs'
import type { Settings } from '../config/settings.ts'
import { METADATA_ADDRESS } from '../core/google.ts'
import { locateAdc, misplacedLogin } from './adc.ts'

/** The source, and for people why this one; `host` is host and port. */
export type Choice = { name: 'local' | 'google'; why: string } | { name: 'metadata'; why: string; host: string }

/**
 * `auto` takes google as soon as anything points at credentials, also at a file that is missing: that is an error to
 * be told, and a local token in its place would only puzzle somebody downstream.
 */
export function chooseSource(
  settings: Pick<Settings, 'source' | 'impersonateServiceAccount'>,
  env: NodeJS.ProcessEnv,
): Choice {
  const [name, host = METADATA_ADDRESS] = settings.source.split('=')
  if (name === 'metadata') return { name, why: `the metadata server at ${host}, as asked`, host }
  if (name === 'local') return { name, why: 'as asked' }
  if (name === 'google') return { name, why: 'as asked' }
  const { path } = locateAdc(env)
  const login = misplacedLogin(env)
  if (env.GOOGLE_APPLICATION_CREDENTIALS) return { name: 'google', why: `GOOGLE_APPLICATION_CREDENTIALS is ${path}` }
  if (settings.impersonateServiceAccount !== undefined) {
    return { name: 'google', why: `${settings.impersonateServiceAccount.at(-1)} is to be impersonated` }
  }
  if (env.CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT) {
    return { name: 'google', why: 'CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT names an account to impersonate' }
  }
  if (env.SIDEMINT_HOST_CLOUDSDK_CONFIG ?? env.CLOUDSDK_CONFIG)
    return { name: 'google', why: `CLOUDSDK_CONFIG points at ${path}` }
  if (existsSync(path)) return { name: 'google', why: `${path} is there` }
  if (login !== undefined && existsSync(login)) return { name: 'google', why: `${login} is there` }
  return { name: 'local', why: `no Google credentials were found (no GOOGLE_APPLICATION_CREDENTIALS, no ${path})` }
}
