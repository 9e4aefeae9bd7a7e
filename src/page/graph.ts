/** The services and who calls whom, from the data. */

import { createNames, hostOf, isServer } from './entries.ts'
import type { Data, State } from './store.ts'

export interface Call {
  from: string
  to: string
  count: number
  refused: number
  status: number | undefined
  lastAt: number
  /** False where only a request for a token is known of the call. */
  gated: boolean
}

export interface Service {
  name: string
  account: string
  /** Nobody says who it is, so it gets no token. */
  nameless: boolean
  calls: readonly Call[]
}

/** By name, so that equal data makes the same picture. `calls` are those that come in. */
export function graphOf(data: Data): Service[] {
  const names = createNames(data.state)
  const calls = [...arrowsOf(data), ...askedOf(data)].sort((a, b) => (a.from < b.from ? -1 : 1))
  const accounts = accountsOf(data)
  const knowsAll = namesEverybody(data.state)
  const found = new Set<string>()
  for (const { from, to } of calls) found.add(from).add(to)
  for (const { host } of data.state?.gates ?? []) if (host !== null) found.add(host)
  return [...found].sort().map((name) => {
    const account = names.identity(name)?.email ?? accounts.get(name) ?? ''
    const isCaller = calls.some(({ from }) => from === name)
    const nameless = knowsAll && isCaller && names.identity(name) === undefined && account === ''
    return { name, account, nameless, calls: calls.filter(({ to }) => to === name) }
  })
}

/** Whom each caller spoke as. */
function accountsOf(data: Data): Map<string, string> {
  const { service } = createNames(data.state)
  const hops = [...data.hops.values()].map(({ caller, account }) => [service(caller), account] as const)
  const asked = [...data.asked.values()].map(({ caller, identity }) => [service(caller), identity] as const)
  return new Map([...hops, ...asked].filter(([, account]) => account !== ''))
}

/** Whether each caller that has an identity is named: networks name callers that are not in any list. */
function namesEverybody(state: State | undefined): boolean {
  return isServer(state) && !state.identities.some(({ callers }) => callers.some((caller) => caller.includes('/')))
}

function arrowsOf(data: Data): Call[] {
  const { service } = createNames(data.state)
  return [...data.arrows.values()].map(({ caller, service: to, count, refused, status, lastAt }) => {
    return { from: service(caller), to: service(to), count, refused, status, lastAt, gated: true }
  })
}

/** One call for each caller and host; without a gate, nobody knows more. */
function askedOf(data: Data): Call[] {
  const names = createNames(data.state)
  const calls = new Map<string, Call>()
  for (const asked of data.asked.values()) {
    if (asked.kind !== 'id' || asked.audience === '' || names.hasGate(asked)) continue
    const [from, to] = [names.service(asked.caller), names.service(hostOf(asked.audience))]
    if (names.gate(to) !== undefined) continue
    const key = `${from}\0${to}`
    const known = calls.get(key) ?? { from, to, count: 0, refused: 0, status: 0, lastAt: 0, gated: false }
    known.count += asked.count
    if (asked.status !== 200) known.refused += asked.count
    if (asked.lastAt >= known.lastAt) Object.assign(known, { lastAt: asked.lastAt, status: asked.status })
    calls.set(key, known)
  }
  return [...calls.values()]
}
