/** The calls between services that a running sidemint refused last, each with its place on the page. */

import { visible } from '../core/visible.ts'
import { type Finding, warn } from './finding.ts'

/** The newest ones; the page has the others. */
const MOST = 3

interface Refused {
  address: string
  lastAt: number
  count: number
  caller: string
  service: string
  method: string
  path: string
  decision: string
  status?: number
  code: string
}

/** `body`: what `/_sidemint/requests` answers. */
export function findRefused(url: string, body: string): Finding[] {
  const { hops } = JSON.parse(body) as { hops: Refused[] }
  return hops
    .filter(({ decision }) => decision === 'refuse')
    .sort((a, b) => b.lastAt - a.lastAt)
    .slice(0, MOST)
    .map(({ address, count, caller, service, method, path, status, code }) => {
      const times = count === 1 ? 'once' : `${count} times`
      const call = `${caller} -> ${service} ${method} ${path} was refused ${times}: ${status} ${code}`
      return warn('calls', visible(call), `see why at ${url}/_sidemint/#${address}`)
    })
}
