/** Rows with a limit. */

/** Counts the changes of all tables of a record, so that a reader can ask for what is new. */
export interface Versions {
  last: number
}

export interface Versioned {
  /** Unique in its table, for as long as the row is kept. */
  id: number
  /** The change that touched it last. */
  version: number
}

const MOST_ROWS = 2_000

/** Beyond its limit, the half of the rows that was touched longest ago is dropped. */
export class Table<R extends Versioned> {
  readonly most = MOST_ROWS
  readonly #versions: Versions
  readonly #onForget: (kept: readonly R[]) => void
  #rows: R[] = []
  #added = 0
  /** How many rows were dropped. */
  forgotten = 0

  constructor(versions: Versions, onForget: (kept: readonly R[]) => void) {
    this.#versions = versions
    this.#onForget = onForget
  }

  add(make: (id: number) => R): R {
    if (this.#rows.length >= this.most) this.#forget()
    this.#added += 1
    const row = make(this.#added)
    this.#rows.push(row)
    return row
  }

  touch(row: R): void {
    this.#versions.last += 1
    row.version = this.#versions.last
  }

  /** The rows that were touched after that version, the last one at the end. */
  since(version: number): R[] {
    return this.#rows.filter((row) => row.version > version).sort((a, b) => a.version - b.version)
  }

  #forget(): void {
    const kept = this.since(0).slice(-Math.floor(this.most / 2))
    this.forgotten += this.#rows.length - kept.length
    this.#rows = kept
    this.#onForget(kept)
  }
}

export interface Keyed extends Versioned {
  key: string
}

/** Rows that are found by a key. */
export class KeyedTable<R extends Keyed> {
  readonly rows: Table<R>
  #byKey = new Map<string, R>()

  constructor(versions: Versions) {
    this.rows = new Table(versions, (kept) => {
      this.#byKey = new Map(kept.map((row) => [row.key, row]))
    })
  }

  get(key: string): R | undefined {
    return this.#byKey.get(key)
  }

  find(key: string, make: (id: number) => R): R {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const row = this.rows.add(make)
    this.#byKey.set(key, row)
    return row
  }
}
