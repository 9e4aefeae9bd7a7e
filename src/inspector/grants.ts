/** The grants that calls needed, one row for each service and member. Kept apart from what the page shows. */

import { isEmail, LONGEST_EMAIL } from '../core/accounts.ts'
import type { GateEvent } from '../core/events.ts'
import { memberFor } from '../gate/lines.ts'
import type { Grant } from './rows.ts'
import { shown } from './shown.ts'
import type { Keyed, KeyedTable } from './table.ts'

export type GrantRow = Grant & Keyed

/** `account`: the token's account, where the token has no email. */
export function addGrant(grants: KeyedTable<GrantRow>, event: GateEvent, account: string | undefined): void {
  const member = memberOf(event, account)
  if (member === undefined) return
  const { at, host: service, code } = event
  const key = `${service}\0${member}`
  const grant = grants.find(key, (id) => {
    return { id, key, version: 0, at, lastAt: at, count: 0, service: shown(service), member, granted: true }
  })
  grant.count += 1
  grant.lastAt = at
  grant.granted = code !== 'NOT_AN_INVOKER'
  grants.rows.touch(grant)
}

/** Undefined where the call ended before a grant was needed, or where its member is unknown. */
function memberOf({ code, principal }: GateEvent, account: string | undefined): string | undefined {
  if (code === 'PUBLIC') return 'allUsers'
  if (code !== 'INVOKER' && code !== 'NOT_AN_INVOKER') return undefined
  const email = isEmail(principal) ? principal : account
  if (email === undefined || email.length > LONGEST_EMAIL || !isEmail(email)) return undefined
  return memberFor(email)
}
