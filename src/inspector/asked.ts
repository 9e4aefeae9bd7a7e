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

export class AskedTable {
  readonly rows: Table<AskedRow>
  /** The rows by caller and then by subject: a key of both would be made at every hit. */
  #index = new Map<string, Map<string, AskedRow[]>>()

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
    const keys = new Set(audiences.map(audienceKey))
    let lastAt: number | undefined
    for (const rows of this.#index.get(caller)?.values() ?? []) {
      for (const row of rows) {
        const isOne = keys.has(row.key) && row.kind === 'id' && row.status === 200
        if (isOne) lastAt = Math.max(lastAt ?? 0, row.lastAt)
      }
    }
    return lastAt
  }

  #find(event: RequestEvent, subject: string): AskedRow {
    const known = this.#index
      .get(event.caller)
      ?.get(subject)
      ?.find((row) => belongsTo(row, event))
    if (known !== undefined) return known
    const row = this.rows.add((id) => newRow(id, event, subject))
    this.#enter(event.caller, row)
    return row
  }

  #enter(caller: string, row: AskedRow): void {
    const bySubject = this.#index.get(caller) ?? new Map<string, AskedRow[]>()
    this.#index.set(caller, bySubject)
    const rows = bySubject.get(row.subject)
    if (rows === undefined) bySubject.set(row.subject, [row])
    else rows.push(row)
  }

  #reindex(kept: readonly AskedRow[]): void {
    this.#index = new Map()
    for (const row of kept) this.#enter(row.caller, row)
  }
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
