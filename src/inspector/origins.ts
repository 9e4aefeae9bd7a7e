/** Where the last tokens came from, by their fingerprints. */

import type { TokenOrigin } from './rows.ts'
import { shown } from './shown.ts'

const MOST_TOKENS = 10_000

export class Origins {
  /** When this is full it becomes the old half, and the old half before it is dropped. */
  #young = new Map<string, TokenOrigin>()
  #old = new Map<string, TokenOrigin>()

  get(fp: string): TokenOrigin | undefined {
    return this.#young.get(fp) ?? this.#old.get(fp)
  }

  /** Remembers who asked first, not who got the same token from the cache later. */
  add(fp: string, { identity, audience, caller, at }: TokenOrigin): void {
    if (this.get(fp) !== undefined) return
    if (this.#young.size >= MOST_TOKENS) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(fp, { identity, audience: shown(audience), caller, at })
  }
}
