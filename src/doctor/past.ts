/** Services that ask for another one's tokens, and call it past its gate. */

import { isIP } from 'node:net'
import { visible } from '../core/visible.ts'
import { acceptsAudience } from '../gate/audience.ts'
import type { Asked, GateState, Hop } from '../inspector/rows.ts'
import { type Finding, warn } from './finding.ts'

/** The newest ones; the page has the others. */
const MOST = 3
/** Between a token and the call for which it is, by far. */
const LATER_MS = 10_000

interface Seen {
  hops: readonly Hop[]
  asked: readonly Asked[]
  bounds: { hops: { forgotten: number } }
}

interface State {
  now: number
  settings: { appliedAt: number }
  gates: readonly GateState[]
}

/** Of what a server answers at `/_sidemint/requests` and `/_sidemint/state`. Who has only an address may be on this host. */
export function findPast(requests: string, state: string): Finding[] {
  const { hops, asked, bounds } = JSON.parse(requests) as Seen
  const { now, settings, gates } = JSON.parse(state) as State
  if (bounds.hops.forgotten > 0) return []
  const settled = asked.filter(
    ({ kind, status, caller, lastAt }) =>
      kind === 'id' && status === 200 && isIP(caller) === 0 && lastAt >= settings.appliedAt && lastAt < now - LATER_MS,
  )
  return settled
    .flatMap(({ caller, audience, lastAt }) => {
      const hosts = gates.flatMap(({ host, audiences }) =>
        host !== null && acceptsAudience(audience, audiences, false) ? [host] : [],
      )
      const [host] = hosts
      const came = hops.some((hop) => hop.caller === caller && hosts.includes(hop.service) && hop.lastAt >= lastAt)
      return host === undefined || came ? [] : [describe(caller, audience, host)]
    })
    .slice(-MOST)
}

function describe(caller: string, audience: string, host: string): Finding {
  const what = `${caller} has a token for ${audience}, and no call of it came through the gate of ${host} since`
  const link = `links: ["sidemint:${host}"] in ${caller}, with the name that sidemint has in the stack`
  return warn('calls', visible(what), `where it calls ${host}, give it that name for sidemint: ${link}`)
}
