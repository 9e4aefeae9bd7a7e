/**
 * Everything that is more than a plain hit, in one record with a limit: calls between services, as their gates saw them,
 * and requests for tokens. Plain hits are counted. The fingerprint of a token joins a gate's event with the request for
 * that token. It does not say who called: that is who connected to the gate.
 */

import { randomUUID } from 'node:crypto'
import type { Events, GateEvent, RequestEvent } from '../core/events.ts'
import { GCLOUD_CLIENT_ID } from '../core/google.ts'
import { createLast } from '../core/last.ts'
import { fingerprint } from '../core/token.ts'
import { AskedTable } from './asked.ts'
import { Grants, type InForce, NOTHING_KNOWN } from './grants.ts'
import { type ArrowRow, addArrow, addCut, addHop, type HopRow } from './hops.ts'
import { Origins } from './origins.ts'
import type { Arrow, Asked, Grant, Hop, RecordedRequest, TokenOrigin } from './rows.ts'
import { KeyedTable } from './table.ts'

const MOST_REQUESTS = 10_000

export interface RecordOptions {
  events: Events
  /** Epoch ms. */
  now: () => number
  /** Whether plain hits are among the requests. */
  keepHits: boolean
}

/** Sums since the record was last emptied. */
export interface Totals {
  /** Calls from one service to another, as gates saw them. */
  calls: number
  refused: number
  /** Requests for tokens, hits included. */
  asked: number
  hits: number
  failed: number
}

/** Rows that changed, the last change at the end. */
export interface Changes {
  hops: Hop[]
  asked: Asked[]
  arrows: Arrow[]
}

/** Rows of one kind: how many are kept at most, and how many were dropped. */
export interface Bound {
  most: number
  forgotten: number
}

/** Everything that is kept, emptied as a whole. */
class Tables {
  /** Changes when the record is emptied: versions from before then mean nothing. */
  readonly epoch = randomUUID().slice(0, 8)
  readonly versions = { last: 0 }
  readonly hops = new KeyedTable<HopRow>(this.versions)
  readonly arrows = new KeyedTable<ArrowRow>(this.versions)
  readonly asked = new AskedTable(this.versions)
  readonly requests = createLast<RecordedRequest>(MOST_REQUESTS)
  readonly totals: Totals = { calls: 0, refused: 0, asked: 0, hits: 0, failed: 0 }
  readonly since: number

  constructor(since: number) {
    this.since = since
  }
}

export class InspectorRecord {
  readonly #options: RecordOptions
  readonly #origins = new Origins()
  #tables: Tables
  #grants = new Grants()
  #notices = 0

  constructor(options: RecordOptions) {
    this.#options = options
    this.#tables = new Tables(options.now())
    options.events.subscribe((event) => {
      if (event.type === 'request') this.#addRequest(event)
      else if (event.type === 'gate') this.#addCall(event)
      else if (event.type === 'cut') addCut(this.#tables.hops, event)
      else if (event.type === 'notice') this.#notices += 1
    })
  }

  get epoch(): string {
    return this.#tables.epoch
  }

  /** Counts the changes; a row was touched last by one of them. */
  get version(): number {
    return this.#tables.versions.last
  }

  /** Counts warnings and changes of state, each of which may have changed the server's own state. */
  get notices(): number {
    return this.#notices
  }

  get totals(): Readonly<Totals> {
    return this.#tables.totals
  }

  /** When it was last emptied, epoch ms. */
  get since(): number {
    return this.#tables.since
  }

  changes(version = 0): Changes {
    const { hops, asked, arrows } = this.#tables
    return {
      hops: hops.rows.since(version).map(({ key: _key, version: _version, ...hop }) => hop),
      asked: asked.rows.since(version).map(({ subject: _subject, key: _key, version: _version, ...row }) => row),
      arrows: arrows.rows.since(version).map(({ key: _key, version: _version, ...arrow }) => arrow),
    }
  }

  bounds(): Record<keyof Changes, Bound> {
    const { hops, asked, arrows } = this.#tables
    return { hops: boundOf(hops.rows), asked: boundOf(asked.rows), arrows: boundOf(arrows.rows) }
  }

  /**
   * The last requests, oldest first. `all`: with those for gcloud's own audience, which gcloud makes before every command.
   * They are recorded once the name of their caller's connection is known, which may be in another order.
   */
  requests(all = false): RecordedRequest[] {
    const wanted = this.#tables.requests.all().filter(({ audience }) => all || audience !== GCLOUD_CLIENT_ID)
    return wanted.sort((a, b) => a.at - b.at)
  }

  /** Those that what is in force still needs. */
  grants(inForce: InForce = NOTHING_KNOWN): Bound & { grants: Grant[] } {
    return { grants: this.#grants.needed(inForce), ...boundOf(this.#grants.rows) }
  }

  /** Empties all but the grants. */
  clear(): void {
    this.#tables = new Tables(this.#options.now())
  }

  clearGrants(): void {
    this.#grants = new Grants()
  }

  /** Remembers where a token came from that nobody asked the metadata server for. */
  issued(token: string, asked: Pick<TokenOrigin, 'identity' | 'audience'>): void {
    this.#origins.add(fingerprint(token), { ...asked, caller: 'a test', at: this.#options.now() })
  }

  #addRequest(event: RequestEvent): void {
    const { totals, requests, asked } = this.#tables
    const { result, fp } = event
    totals.asked += 1
    if (result === 'hit') totals.hits += 1
    if (result === 'error') totals.failed += 1
    asked.add(event)
    if (result !== 'hit' || this.#options.keepHits) requests.add(recorded(event))
    if (fp !== undefined && (result === 'mint' || event.first)) this.#origins.add(fp, event)
  }

  #addCall(event: GateEvent): void {
    const { totals, hops, asked, arrows } = this.#tables
    const token = event.fp === undefined ? undefined : this.#origins.get(event.fp)
    totals.calls += 1
    if (event.decision === 'refuse') totals.refused += 1
    addHop(hops, event, { token, askedAt: asked.lastAt(event.caller, event.wants?.audiences ?? []) })
    addArrow(arrows, event)
    this.#grants.add(event, token?.identity, (account) => asked.holds(event.caller, account))
  }
}

function boundOf({ most, forgotten }: Bound): Bound {
  return { most, forgotten }
}

function recorded(event: RequestEvent): RecordedRequest {
  const { at, kind, audience, scopes, identity, caller, result, status } = event
  return { at, kind, audience, scopes, identity, caller, result, status }
}
