/** What the credentials of workload and workforce identity pools have in common. */

import { failure } from '../../core/errors.ts'
import { DEFAULT_UNIVERSE } from '../universe.ts'
import type { Holder } from './failures.ts'

/** Where the token of the pool's provider is exchanged. Throws UNIVERSE_UNSUPPORTED for Google's own from another one. */
export function tokenUrl(named: string | undefined, path: string, universe: string): string {
  const url = named ?? `https://sts.${universe}${path}`
  const { hostname } = new URL(url)
  if (universe !== DEFAULT_UNIVERSE && hostname.endsWith(`.${DEFAULT_UNIVERSE}`)) {
    throw failure('UNIVERSE_UNSUPPORTED', { what: `a token_url at ${hostname}`, universe })
  }
  return url
}

/** `subject` is Google's name for whoever signed in at the provider: by default the `sub` of the provider's token. */
export function memberOf(audience: string, what: string, subject?: string): Holder {
  const [, pool = 'POOL', name = 'POOL'] = /(?:\/\/iam\.googleapis\.com\/)?(.*Pools\/([^/]+))/.exec(audience) ?? []
  const member = `principal://iam.googleapis.com/${pool}/subject/${subject ?? 'SUBJECT'}`
  return { name: `the ${what} of pool ${name}`, member: /^[\w./:@+=,~-]+$/.test(member) ? member : `'${member}'` }
}
