/** The grants that calls needed, one row for each service and member. Kept apart from what the page shows. */

import { isIP } from 'node:net'
import { isEmail, LONGEST_EMAIL } from '../core/accounts.ts'
import type { GateEvent } from '../core/events.ts'
import { memberFor } from '../gate/lines.ts'
import { failedAt } from './checks.ts'
import type { Grant } from './rows.ts'
import { shown } from './shown.ts'
import { type Keyed, KeyedTable } from './table.ts'

interface GrantRow extends Grant, Keyed {
  account: string
  /** Callers that got such a token themselves; the empty name stands for all whose accounts no setting tells. */
  holders: Set<string>
  /** Whether the service has become public since, or has ceased to be. */
  isOver: boolean
}

/** What the settings in force say of calls that were seen under earlier ones: what they mended is needed no more. */
export interface InForce {
  hasGate(host: string): boolean
  /** All accounts that a named caller may have; undefined where the settings do not name it. */
  accountsOf(caller: string): readonly string[] | undefined
}

/** Where nothing is known, everything is needed still. */
export const NOTHING_KNOWN: InForce = { hasGate: () => true, accountsOf: () => undefined }

const EVERYBODY = 'allUsers'

export class Grants {
  readonly #table = new KeyedTable<GrantRow>({ last: 0 })

  /** `tokenOf`: the account of the token, where it has no email. `holds`: whether its caller got a token of that account itself. */
  add(event: GateEvent, tokenOf: string | undefined, holds: (account: string) => boolean): void {
    const { host, code } = event
    if (code === 'INVOKER' || failedAt(event) !== undefined) this.#close(host)
    const account = accountOf(event, tokenOf)
    if (account === undefined) return
    const isNew = this.#touch(event, account, holds)
    if (code === 'PUBLIC' && isNew) this.#open(host)
  }

  /** Those that are needed by what is in force. */
  needed({ hasGate, accountsOf }: InForce): Grant[] {
    const mayHave = (caller: string, account: string) => {
      const accounts = caller === '' ? undefined : accountsOf(caller)
      return accounts?.some((one) => one.toLowerCase() === account) ?? true
    }
    return this.#table.rows
      .since(0)
      .filter(({ service, account, holders, isOver }) => {
        return !isOver && hasGate(service) && [...holders].some((caller) => mayHave(caller, account))
      })
      .map(({ key: _key, version: _version, account: _account, holders: _holders, isOver: _isOver, ...grant }) => grant)
  }

  get rows() {
    return this.#table.rows
  }

  /** Answers whether it was not needed just before. */
  #touch({ at, host, code, caller }: GateEvent, account: string, holds: (account: string) => boolean): boolean {
    const member = account === EVERYBODY ? EVERYBODY : memberFor(account)
    const key = keyOf(host, member)
    const grant = this.#table.find(key, (id) => {
      const seen = { at, lastAt: at, count: 0, service: shown(host), member, granted: true }
      return { id, key, version: 0, ...seen, account, holders: new Set(), isOver: true }
    })
    const wasOver = grant.isOver
    grant.isOver = false
    grant.count += 1
    grant.lastAt = at
    grant.granted = code !== 'NOT_AN_INVOKER'
    const { holders } = grant
    if (!holders.has('') && !holders.has(caller)) holders.add(isIP(caller) === 0 && holds(account) ? caller : '')
    this.#table.rows.touch(grant)
    return wasOver
  }

  /** A public service needs no other grant. */
  #open(host: string): void {
    const service = shown(host)
    for (const row of this.#table.rows.since(0)) row.isOver ||= row.service === service && row.account !== EVERYBODY
  }

  /** A service that looks at tokens is not public. */
  #close(host: string): void {
    const row = this.#table.get(keyOf(host, EVERYBODY))
    if (row !== undefined) row.isOver = true
  }
}

const keyOf = (host: string, member: string) => `${host}\0${member}`

/** Undefined where no grant would let the call in, or where its account is unknown. */
function accountOf({ code, principal, claims }: GateEvent, tokenOf: string | undefined): string | undefined {
  if (code === 'PUBLIC') return EVERYBODY
  if (code !== 'INVOKER' && code !== 'NOT_AN_INVOKER') return undefined
  // An email that is in the token and not the principal is not verified.
  const email = isEmail(principal) || claims?.email !== undefined ? principal : tokenOf
  return email !== undefined && email.length <= LONGEST_EMAIL && isEmail(email) ? email.toLowerCase() : undefined
}
