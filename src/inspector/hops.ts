/** Calls between services, equal ones in one row, and the arrows that sum them up. */

import type { CutEvent, GateEvent, Lines } from '../core/events.ts'
import { hopAddress, hopKey, statusOf } from '../core/hop.ts'
import { checksOf, failedAt } from './checks.ts'
import type { Arrow, Hop, TokenOrigin } from './rows.ts'
import { shown, shownClaims } from './shown.ts'
import type { Keyed, KeyedTable } from './table.ts'

export type HopRow = Hop & Keyed
export type ArrowRow = Arrow & Keyed

/** What else is known about a call. */
export interface Known {
  token: TokenOrigin | undefined
  askedAt: number | undefined
}

export function addHop(hops: KeyedTable<HopRow>, event: GateEvent, { token, askedAt }: Known): void {
  const key = hopKey(event)
  const hop = hops.find(key, (id) => newHop(id, key, event))
  hop.count += 1
  hop.lastAt = event.at
  hop.askedAt = askedAt
  hop.token = token
  if (hop.count === 1 || hop.fp !== event.fp) {
    hop.fp = event.fp
    hop.claims = shownClaims(event.claims)
    hop.checks = checksOf(event)
  }
  hops.rows.touch(hop)
}

/** A call that is not kept any more stays so. */
export function addCut(hops: KeyedTable<HopRow>, { at, call, reason }: CutEvent): void {
  const hop = hops.get(hopKey(call))
  if (hop === undefined) return
  hop.cut = { count: (hop.cut?.count ?? 0) + 1, lastAt: at, reason: shown(reason) }
  hops.rows.touch(hop)
}

export function addArrow(arrows: KeyedTable<ArrowRow>, event: GateEvent): void {
  const { caller, host: service, at, decision, code } = event
  const key = `${caller}\0${service}`
  const arrow = arrows.find(key, (id) => {
    return {
      id,
      key,
      version: 0,
      at,
      lastAt: at,
      count: 0,
      caller,
      service: shown(service),
      refused: 0,
      status: undefined,
      code,
    }
  })
  arrow.count += 1
  arrow.lastAt = at
  arrow.status = statusOf(event)
  arrow.code = code
  if (decision === 'refuse') arrow.refused += 1
  arrows.rows.touch(arrow)
}

function newHop(id: number, key: string, event: GateEvent): HopRow {
  const { at, caller, host, method, path, decision, code, reason, lines, principal, audience, wants } = event
  return {
    id,
    address: hopAddress(event),
    key,
    version: 0,
    at,
    lastAt: at,
    count: 0,
    caller,
    service: shown(host),
    method,
    path: shown(path),
    decision,
    status: statusOf(event),
    code,
    reason: shown(reason),
    lines: lines && shownLines(lines),
    failed: failedAt(event),
    account: shown(principal),
    audience: shown(audience),
    wants,
    fp: undefined,
    claims: undefined,
    checks: [],
    token: undefined,
    askedAt: undefined,
    cut: undefined,
  }
}

function shownLines({ here, production }: Lines): Lines {
  return { here: shown(here), ...(production === undefined ? {} : { production: shown(production) }) }
}
