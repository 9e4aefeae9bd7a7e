/** The calls between services that failed last at the gates of a running sidemint, each with its place on the page. */

import { splitFix } from '../core/errors.ts'
import { visible } from '../core/visible.ts'
import type { GateState, Hop } from '../inspector/rows.ts'
import { type Finding, warn } from './finding.ts'

/** The newest ones; the page has the others. */
const MOST = 3
/** What a gate answers where the service does not. */
const BAD_GATEWAY = 502

interface State {
  settings: { appliedAt: number }
  gates: readonly GateState[]
}

/**
 * `requests` and `state`: what a server answers at `/_sidemint/requests` and `/_sidemint/state`. What failed under earlier
 * settings, or before the same caller's call went well, may be mended by now.
 */
export function findRefused(url: string, requests: string, state: string): Finding[] {
  // The row that changed last is the last one.
  const hops = (JSON.parse(requests) as { hops: Hop[] }).hops.toReversed()
  const { settings, gates } = JSON.parse(state) as State
  return hops
    .filter((hop, at) => isFault(hop) && !hops.slice(0, at).some((later) => mends(later, hop)))
    .filter(({ lastAt }) => lastAt >= settings.appliedAt)
    .slice(0, MOST)
    .map((hop) => {
      const { what, fix } = hop.decision === 'refuse' ? describeRefusal(hop) : describeFailure(hop, gates)
      const call = `${hop.caller} -> ${hop.service} ${hop.method} ${hop.path}`
      return warn('calls', visible(`${call} ${what}`), `${visible(fix)}; see why at ${url}/_sidemint/#${hop.address}`)
    })
}

function isFault({ decision, status }: Hop): boolean {
  return decision === 'refuse' || status === BAD_GATEWAY
}

/** A gate is mended once it admits, a service once it answers: mode `report` lets in whom the gate would refuse. */
function mends(later: Hop, fault: Hop): boolean {
  if (later.caller !== fault.caller || later.service !== fault.service) return false
  return fault.decision === 'refuse' ? later.decision === 'allow' : !isFault(later)
}

function describeRefusal({ status, code, reason, ...hop }: Hop) {
  const { message, fix } = splitFix(reason) ?? { message: reason, fix: 'read its log' }
  return { what: `was refused ${timesOf(hop)}: ${status} ${code}: ${message}`, fix }
}

/** The 502 may also be the service's own. */
function describeFailure({ service, ...hop }: Hop, gates: readonly GateState[]) {
  const upstream = gates.find(({ host }) => host === service || host === null)?.upstream ?? 'the address'
  const what = `was let in, and answered ${BAD_GATEWAY} ${timesOf(hop)}`
  return { what, fix: `see whether ${service} answers at ${upstream}, its gate's \`upstream:\`` }
}

function timesOf({ count, lastAt }: Pick<Hop, 'count' | 'lastAt'>): string {
  const time = new Date(lastAt).toISOString().replace(/\.\d+/, '')
  return count === 1 ? `once, at ${time}` : `${count} times, last at ${time}`
}
