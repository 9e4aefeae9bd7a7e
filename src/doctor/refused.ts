/** The calls between services that a running sidemint refused last, each with its place on the page. */

import { visible } from '../core/visible.ts'
import type { Place } from '../gate/lines.ts'
import { fixesFor, type RefusedCall } from '../inspector/fixes.ts'
import { type Finding, warn } from './finding.ts'

/** The newest ones; the page has the others. */
const MOST = 3

interface Refused extends RefusedCall {
  address: string
  lastAt: number
  count: number
  method: string
  path: string
  decision: string
  status?: number
  code: string
}

interface State extends Place {
  identities: readonly { email: string | null; callers: readonly string[]; isDefault: boolean }[]
}

/** `requests` and `state`: what a server answers at `/_sidemint/requests` and `/_sidemint/state`. */
export function findRefused(url: string, requests: string, state: string): Finding[] {
  const { hops } = JSON.parse(requests) as { hops: Refused[] }
  const { identities, ...place } = JSON.parse(state) as State
  const accountOf = (caller: string) =>
    (identities.find(({ callers }) => callers.includes(caller)) ?? identities.find(({ isDefault }) => isDefault))?.email
  return hops
    .filter(({ decision }) => decision === 'refuse')
    .sort((a, b) => b.lastAt - a.lastAt)
    .slice(0, MOST)
    .map((hop) => {
      const { address, count, caller, service, method, path, status, code } = hop
      const times = count === 1 ? 'once' : `${count} times`
      const call = `${caller} -> ${service} ${method} ${path} was refused ${times}: ${status} ${code}`
      const { settings, production } = fixesFor(hop, place, (name) => accountOf(name) ?? undefined)
      const lines = `\`${settings}\` in sidemint.yaml, and in production \`${production}\``
      return warn('calls', visible(call), `where it may call, ${lines}; see why at ${url}/_sidemint/#${address}`)
    })
}
