/** Where tokens came from, by their fingerprints: of the last ones that were given out. */

import type { RequestEvent } from '../core/events.ts'
import type { TokenOrigin } from './rows.ts'
import { shown } from './shown.ts'

const MOST_TOKENS = 10_000

export class Origins {
  /** Once these are as many as are kept, they are the old ones, and those before them go. */
  #young = new Map<string, TokenOrigin>()
  #old = new Map<string, TokenOrigin>()

  get(fp: string): TokenOrigin | undefined {
    return this.#young.get(fp) ?? this.#old.get(fp)
  }

  /** Who asked first is remembered, not who shares the token by the cache later. */
  add(fp: string, { identity, audience, caller, at }: RequestEvent): void {
    if (this.get(fp) !== undefined) return
    if (this.#young.size >= MOST_TOKENS) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(fp, { identity, audience: shown(audience), caller, at })
  }
}
