/** The service account that a credential file impersonates. */

import { isEmail } from '../core/accounts.ts'
import { malformed } from './adc-json.ts'

/** The account in the URL at which a file impersonates. Throws CREDENTIALS_MALFORMED. */
export function impersonationTarget(path: string, url: string): string {
  const email = /\/serviceAccounts\/([^/:]+):generate(?:Access|Id)Token$/.exec(url)?.[1]?.replaceAll('%40', '@')
  if (email === undefined || !isAccount(email)) {
    throw malformed(path, 'its service_account_impersonation_url names no service account')
  }
  return email
}

/** An email or a unique id: anything else would make another path of IAM's URL. */
export function isAccount(name: string): boolean {
  return (isEmail(name) && !/[%?#]/.test(name)) || /^\d+$/.test(name)
}

/** Files have delegates as `projects/-/serviceAccounts/EMAIL`; we keep the emails. */
export function accountOf(resource: string): string {
  return resource.replace(/^projects\/[^/]+\/serviceAccounts\//, '')
}
