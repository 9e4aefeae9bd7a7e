/** Evicts the oldest keys when there are too many of them, or too much text in them. */

export interface EvictionLimits {
  keys: number
  /** Of all keys together, as UTF-8. */
  bytes: number
}

interface Link {
  key: string
  bytes: number
  older: Link
  newer: Link
}

/**
 * Keys by age in a ring of links, so that each step takes constant time. A Set has the same order, but in V8 its iterator
 * first steps over the holes of earlier evictions: thousands of them with 10,000 keys.
 */
export class Eviction {
  readonly #limits: EvictionLimits
  readonly #evict: (key: string) => void
  readonly #links = new Map<string, Link>()
  /** Closes the ring, without a key: its `newer` is the oldest key, its `older` the newest. */
  readonly #seam: Link
  #bytes = 0

  constructor(limits: EvictionLimits, evict: (key: string) => void) {
    this.#limits = limits
    this.#evict = evict
    this.#seam = {} as Link
    this.#seam.older = this.#seam
    this.#seam.newer = this.#seam
  }

  /** Makes the key the newest, and evicts the oldest ones until the limits hold. */
  renew(key: string): void {
    this.delete(key)
    const link = { key, bytes: Buffer.byteLength(key), older: this.#seam.older, newer: this.#seam }
    link.older.newer = link
    link.newer.older = link
    this.#links.set(key, link)
    this.#bytes += link.bytes
    while (this.#links.size > this.#limits.keys || this.#bytes > this.#limits.bytes) {
      const oldest = this.#seam.newer.key
      this.delete(oldest)
      this.#evict(oldest)
    }
  }

  delete(key: string): void {
    const link = this.#links.get(key)
    if (link === undefined) return
    link.older.newer = link.newer
    link.newer.older = link.older
    this.#links.delete(key)
    this.#bytes -= link.bytes
  }
}
