/** The calls between services that a running sidemint refused last, each with its place on the page. */

import { splitFix } from '../core/errors.ts'
import { visible } from '../core/visible.ts'
import type { Hop } from '../inspector/rows.ts'
import { type Finding, warn } from './finding.ts'

/** The newest ones; the page has the others. */
const MOST = 3

/**
 * `requests` and `state`: what a server answers at `/_sidemint/requests` and `/_sidemint/state`. What was refused under
 * earlier settings, or before the same caller was admitted, may be mended by now.
 */
export function findRefused(url: string, requests: string, state: string): Finding[] {
  // The row that changed last is the last one.
  const hops = (JSON.parse(requests) as { hops: Hop[] }).hops.toReversed()
  const { settings } = JSON.parse(state) as { settings: { appliedAt: number } }
  return hops
    .filter(({ decision, lastAt }) => decision === 'refuse' && lastAt >= settings.appliedAt)
    .filter(
      (hop) => !hops.slice(0, hops.indexOf(hop)).some((later) => later.decision === 'allow' && isAlike(later, hop)),
    )
    .slice(0, MOST)
    .map((hop) => describe(hop, url))
}

function isAlike(one: Hop, other: Hop): boolean {
  return one.caller === other.caller && one.service === other.service
}

function describe({ address, count, lastAt, caller, service, method, path, status, code, reason }: Hop, url: string) {
  const times = count === 1 ? 'once, at' : `${count} times, last at`
  const time = new Date(lastAt).toISOString().replace(/\.\d+/, '')
  const { message, fix } = splitFix(reason) ?? { message: reason, fix: 'read its log' }
  const what = `${caller} -> ${service} ${method} ${path} was refused ${times} ${time}: ${status} ${code}: ${message}`
  return warn('calls', visible(what), `${visible(fix)}; see why at ${url}/_sidemint/#${address}`)
}
