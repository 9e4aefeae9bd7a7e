/** The quota project, and whether the API is on. Both are known from the test mints (docs/minting.md, "Quota project"). */

import { standardQuotaProject } from '../config/standard.ts'
import { CATALOGUE } from '../core/errors.ts'
import { type Adc, isGoogleLogin } from '../mint/adc.ts'
import { type Finding, ok, warn } from './finding.ts'

export function checkProjects(adc: Adc, mints: readonly Finding[], env: NodeJS.ProcessEnv): Finding[] {
  const own = adc.credential.kind === 'key' ? adc.credential.email : undefined
  // A key mints for its own account without the API.
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

/** A user's calls are counted for a project, and Google refuses some calls without one (docs/minting.md, "Quota project"). */
function quota({ credential, quotaProject }: Adc, isAnswered: boolean, env: NodeJS.ProcessEnv): Finding {
  const named = standardQuotaProject(env)
  const check = 'quota'
  if (named) return ok(check, `${named} (GOOGLE_CLOUD_QUOTA_PROJECT)`)
  if (quotaProject !== undefined) return ok(check, `${quotaProject} (the credential file)`)
  if (isAnswered || !isGoogleLogin(credential)) return ok(check, 'no project is named, and Google did not ask for one')
  return warn(
    check,
    'the login has no quota project, and Google may refuse to impersonate without one',
    CATALOGUE.QUOTA_PROJECT_MISSING.fix,
  )
}

/** The findings of mints that were refused with this code, under the name of what has to be fixed. */
function refused(mints: readonly Finding[], check: string, code: string): Finding[] | undefined {
  const mint = mints.find((each) => each.code === code)
  return mint && [{ ...mint, check }]
}
