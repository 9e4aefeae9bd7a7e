/** The projects behind the calls: the one that they are counted for, and whether the API is on. Mints tell of both. */

import { standardQuotaProject } from '../config/standard.ts'
import { CATALOGUE } from '../core/errors.ts'
import type { Adc } from '../mint/adc.ts'
import { type Finding, ok, warn } from './finding.ts'

export function checkProjects(adc: Adc, mints: readonly Finding[], env: NodeJS.ProcessEnv): Finding[] {
  const own = adc.credential.kind === 'key' ? adc.credential.email : undefined
  // An account's own key needs no API.
  const isAnswered = mints.some(
    ({ claims }) => /\.gserviceaccount\.com$/.test(`${claims?.email}`) && claims?.email !== own,
  )
  const isOn = isAnswered || mints.some(({ code }) => code === 'IMPERSONATION_DENIED')
  const api = isOn ? [ok('API', 'iamcredentials.googleapis.com is on')] : []
  return [
    refused(mints, 'quota', 'QUOTA_PROJECT_DENIED') ?? quota(adc, isAnswered, env),
    ...(refused(mints, 'API', 'API_DISABLED') ?? api),
  ].flat()
}

/** A user's calls are counted for a project, and Google refuses some that name none. */
function quota({ credential, quotaProject }: Adc, isAnswered: boolean, env: NodeJS.ProcessEnv): Finding {
  const named = standardQuotaProject(env)
  const check = 'quota'
  if (named) return ok(check, `${named} (GOOGLE_CLOUD_QUOTA_PROJECT)`)
  if (quotaProject !== undefined) return ok(check, `${quotaProject} (the credential file)`)
  if (isAnswered || credential.kind !== 'user') return ok(check, 'no project is named, and Google asked for none')
  return warn(
    check,
    'the login names no quota project, and Google may refuse to impersonate without one',
    CATALOGUE.QUOTA_PROJECT_MISSING.fix,
  )
}

/** What a mint was refused for, said under the name of what is to be mended. */
function refused(mints: readonly Finding[], check: string, code: string): Finding[] | undefined {
  const mint = mints.find((each) => each.code === code)
  return mint && [{ ...mint, check }]
}
