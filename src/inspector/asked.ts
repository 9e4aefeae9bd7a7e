/** Who asked for which tokens, equal requests in one row. Plain hits are only counted here. */

import type { RequestEvent } from '../core/events.ts'
import { askedAddress } from '../core/hop.ts'
import { audienceKey } from '../gate/audience.ts'
import type { Asked } from './rows.ts'
import { shown } from './shown.ts'
import { Table, type Versioned, type Versions } from './table.ts'

interface AskedRow extends Asked, Versioned {
  /** What was asked for, as it was sent. */
  subject: string
  /** What gates compare of it. */
  key: string
}

/** Rows by caller and then by another name: a key of both would be made at every hit. */
type Index = Map<string, Map<string, AskedRow[]>>

export class AskedTable {
  readonly rows: Table<AskedRow>
  #bySubject: Index = new Map()
  #byKey: Index = new Map()

  constructor(versions: Versions) {
    this.rows = new Table(versions, (kept) => this.#reindex(kept))
  }

  add(event: RequestEvent): void {
    const row = this.#find(event, subjectOf(event))
    row.count += 1
    row.lastAt = event.at
    if (event.result === 'hit') row.hits += 1
    if (event.expiresAtMs !== undefined) {
      row.fp = event.fp
      row.expiresAt = event.expiresAtMs
    }
    this.rows.touch(row)
  }

  /** When the caller last got an ID token for one of the audiences; undefined where it never did. */
  lastAt(caller: string, audiences: readonly string[]): number | undefined {
    const byKey = this.#byKey.get(caller)
    const got = audiences
      .flatMap((audience) => byKey?.get(audienceKey(audience)) ?? [])
      .filter(({ kind, status }) => kind === 'id' && status === 200)
    return got.length === 0 ? undefined : Math.max(...got.map((row) => row.lastAt))
  }

  /** Whether the caller got an ID token of that account. */
  holds(caller: string, account: string): boolean {
    const rows = [...(this.#bySubject.get(caller)?.values() ?? [])].flat()
    return rows.some(({ kind, status, identity }) => {
      return kind === 'id' && status === 200 && identity.toLowerCase() === account
    })
  }

  #find(event: RequestEvent, subject: string): AskedRow {
    const known = this.#bySubject
      .get(event.caller)
      ?.get(subject)
      ?.find((row) => belongsTo(row, event))
    if (known !== undefined) return known
    const row = this.rows.add((id) => newRow(id, event, subject))
    this.#enter(row)
    return row
  }

  #enter(row: AskedRow): void {
    enter(this.#bySubject, row.subject, row)
    enter(this.#byKey, row.key, row)
  }

  #reindex(kept: readonly AskedRow[]): void {
    this.#bySubject = new Map()
    this.#byKey = new Map()
    for (const row of kept) this.#enter(row)
  }
}

function enter(index: Index, name: string, row: AskedRow): void {
  const byName = index.get(row.caller) ?? new Map<string, AskedRow[]>()
  index.set(row.caller, byName)
  const rows = byName.get(name)
  if (rows === undefined) byName.set(name, [row])
  else rows.push(row)
}

function subjectOf({ kind, audience, scopes }: RequestEvent): string {
  return kind === 'id' ? audience : scopes.length === 1 ? (scopes[0] as string) : scopes.join(' ')
}

function belongsTo(row: AskedRow, { kind, identity, status, code }: RequestEvent): boolean {
  return row.kind === kind && row.identity === identity && row.status === status && row.code === code
}

function newRow(id: number, event: RequestEvent, subject: string): AskedRow {
  const { at, caller, kind, audience, scopes, identity, status, code, reason } = event
  return {
    id,
    address: askedAddress(event),
    version: 0,
    at,
    lastAt: at,
    count: 0,
    hits: 0,
    caller,
    kind,
    audience: shown(audience),
    scopes: scopes.map((scope) => shown(scope)),
    identity,
    status,
    code,
    reason: reason === undefined ? undefined : shown(reason),
    fp: undefined,
    expiresAt: undefined,
    subject,
    key: audienceKey(subject),
  }
}
