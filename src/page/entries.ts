/** What the list of hops shows: calls as gates saw them, and requests for tokens where no gate stands or none was given. */

import { audienceKey } from '../gate/audience.ts'
import type { Asked, GateState, Hop, IdentityState, ServerState } from '../inspector/rows.ts'
import type { Data, State } from './store.ts'

export interface Entry {
  address: string
  at: number
  lastAt: number
  count: number
  caller: string
  service: string
  /** What was called, or asked for. */
  what: string
  account: string
  status: number | undefined
  code: string
  refused: boolean
  hop?: Hop
  asked?: Asked
}

export interface Filter {
  service: string
  account: string
  refused: boolean
}

export const isServer = (state: State | undefined): state is ServerState & { now: number } =>
  state !== undefined && state.source !== null

/** Newest first. */
export function entriesOf(data: Data): Entry[] {
  const names = createNames(data.state)
  const hops = [...data.hops.values()].map((hop) => entryOfHop(hop, names))
  const asked = [...data.asked.values()]
    .filter((row) => row.status !== 200 || !names.hasGate(row))
    .map((row) => entryOfAsked(row, names))
  return [...hops, ...asked].sort((a, b) => b.lastAt - a.lastAt || (a.address < b.address ? -1 : 1))
}

function entryOfHop(hop: Hop, { service }: Names): Entry {
  const { address, at, lastAt, count, caller, account, status, code } = hop
  const what = `${hop.method} ${hop.path}`
  const shared = { address, at, lastAt, count, what, status, code, hop }
  const who = { caller: service(caller), service: service(hop.service), account: account || hop.token?.identity || '' }
  return { ...shared, ...who, refused: hop.decision !== 'allow' }
}

function entryOfAsked(asked: Asked, { service }: Names): Entry {
  const { address, at, lastAt, count, caller, identity, status } = asked
  const wanted = asked.kind === 'id' ? asked.audience : 'an access token'
  const as = identity === '' ? '' : ` as ${identity}`
  return {
    address,
    at,
    lastAt,
    count,
    caller: service(caller),
    service: asked.kind === 'id' ? service(hostOf(asked.audience)) : '',
    what: `asks for ${wanted}${as}`,
    account: identity,
    status,
    code: asked.code ?? '',
    refused: status !== 200,
    asked,
  }
}

export function keeps({ service, account, refused }: Filter, entry: Entry): boolean {
  return (
    (service === '' || entry.caller === service || entry.service === service) &&
    (account === '' || entry.account === account) &&
    (!refused || entry.refused)
  )
}

/** The host of a URL without its port; other audiences as they are. */
export function hostOf(audience: string): string {
  return /^https?:\/\/(\[[^\]]*\]|[^:/?#]+)/.exec(audience)?.[1] ?? audience
}

export interface Names {
  /** A service goes by the name of its gate, whatever its container is called. */
  service(name: string): string
  gate(service: string): GateState | undefined
  identity(service: string): IdentityState | undefined
  /** Whether a gate stands where the token is for. */
  hasGate(asked: Asked): boolean
}

export function createNames(state: State | undefined): Names {
  const gates = state?.gates ?? []
  const identities = isServer(state) ? state.identities : []
  const hostByUpstream = new Map(
    gates.flatMap(({ host, upstream }) => {
      const name = hostOf(upstream)
      return host === null || isAddress(name) ? [] : [[name, host] as const]
    }),
  )
  const audiences = new Set(gates.flatMap((gate) => gate.audiences.map(audienceKey)))
  const service = (name: string) => {
    const bare = name.replace(/^([^:]+|\[.*\]):\d+$/, '$1')
    return hostByUpstream.get(bare) ?? bare
  }
  const gate = (name: string) => gates.find(({ host }) => host === name)
  return {
    service,
    gate,
    identity: (name) =>
      identities.find(({ callers }) => callers.some((caller) => service(caller) === name)) ??
      identities.find(({ isDefault }) => isDefault),
    hasGate: ({ audience }) => audiences.has(audienceKey(audience)),
  }
}

function isAddress(name: string): boolean {
  return /^(localhost|[\d.]+|\[.*\])$/.test(name)
}
