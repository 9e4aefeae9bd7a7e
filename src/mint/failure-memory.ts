/** Remembers failed mints for a moment, so that five retries of five clients do not become 25 calls to Google. */

import type { SidemintError } from '../core/errors.ts'
import { Eviction, type EvictionLimits } from './eviction.ts'

const TRANSIENT_MEMORY_MS = 3_000
const PERMANENT_MEMORY_MS = 10_000

export class FailureMemory {
  readonly #failures = new Map<string, { error: SidemintError; atMs: number }>()
  readonly #eviction: Eviction
  readonly #clock: () => number

  constructor(limits: EvictionLimits, clock: () => number) {
    this.#eviction = new Eviction(limits, (key) => this.#failures.delete(key))
    this.#clock = clock
  }

  add(key: string, error: SidemintError): void {
    this.#failures.set(key, { error, atMs: this.#clock() })
    this.#eviction.renew(key)
  }

  /** The failure of that key, while it is remembered. */
  get(key: string): SidemintError | undefined {
    const failed = this.#failures.get(key)
    if (failed === undefined) return undefined
    const { error, atMs } = failed
    if (this.#clock() - atMs < (error.transient ? TRANSIENT_MEMORY_MS : PERMANENT_MEMORY_MS)) return error
    this.delete(key)
    return undefined
  }

  delete(key: string): void {
    this.#failures.delete(key)
    this.#eviction.delete(key)
  }

  clear(): void {
    for (const key of this.#failures.keys()) this.delete(key)
  }
}
