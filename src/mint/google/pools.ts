/** What credentials of workload and workforce identity pools share. */

import { failure } from '../../core/errors.ts'
import { DEFAULT_UNIVERSE } from '../universe.ts'
import type { Holder } from './failures.ts'

/** Where the provider's token is exchanged. Throws UNIVERSE_UNSUPPORTED where another universe's credential names a host of Google's own. */
export function tokenUrl(named: string | undefined, path: string, universe: string): string {
  const url = named ?? `https://sts.${universe}${path}`
  const { hostname } = new URL(url)
  if (universe !== DEFAULT_UNIVERSE && hostname.endsWith(`.${DEFAULT_UNIVERSE}`)) {
    throw failure('UNIVERSE_UNSUPPORTED', { what: `a token_url at ${hostname}`, universe })
  }
  return url
}

/** `subject`: Google's name for who signed in at the provider, by default the `sub` of the provider's token. */
export function memberOf(audience: string | undefined, what: string, subject?: string): Holder {
  const [, pool = 'POOL', name = 'POOL'] = audience?.match(/(?:\/\/iam\.googleapis\.com\/)?(.*Pools\/([^/]+))/) ?? []
  const member = `principal://iam.googleapis.com/${pool}/subject/${subject ?? 'SUBJECT'}`
  return { name: `the ${what} of pool ${name}`, member: /^[\w./:@+=,~-]+$/.test(member) ? member : `'${member}'` }
}
