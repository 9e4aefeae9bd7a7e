/**
 * Tokens in memory, as a source around another source. One mint at a time for each key; refreshes run behind an answer; a
 * token that is still valid is served through an outage; failures are remembered for a moment. node-cache keeps and
 * sweeps the entries, and freshness.ts decides what is fresh, by the clock that is passed in.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import NodeCache from 'node-cache'
import type { Settings } from '../config/settings.ts'
import { asFailure, failure, SidemintError } from '../core/errors.ts'
import type { MintEvent } from '../core/events.ts'
import { cacheKey, fingerprint, type TokenRequest, type TokenSource } from '../core/token.ts'
import { Eviction } from './eviction.ts'
import { FailureMemory } from './failure-memory.ts'
import { createSteadyClock, type Life, type Standing, type SteadyClock, standingOf } from './freshness.ts'
import { mintEvent } from './mint-event.ts'
import { type CachedToken, describeStored, type Entry, type StoredToken, serve } from './stored.ts'

export type { CachedToken }

/** Ruby, PHP and .NET give up after 500 ms (docs/wire.md, "ID tokens"). */
const PATIENCE_MS = 300
/** Mints at the same time. Each ends within 10 s, so only a caller that has gone wild reaches this. */
const MOST_MINTS = 10_000
/** Half of 64 MB: one half for the keys of tokens, one for those of failures. */
const MOST_KEY_BYTES = 32 * 1024 * 1024

export interface CacheOptions {
  source: TokenSource
  /** Beyond `cacheEntries` tokens the oldest goes. */
  settings: Pick<Settings, 'cacheEntries'>
  /** Epoch ms. */
  now: () => number
  /** Ms of a clock that nobody sets; default: the process's, where `now` is the wall clock, else none. */
  elapsed?: (() => number) | undefined
  onMint?: (event: MintEvent) => void
  /**
   * Looks whether the source has changed, and then calls `clear`. Every answer waits for it, so that no token of an
   * earlier login is served. Undefined: there is nothing to wait for. Never rejects.
   */
  look?: () => Promise<void> | undefined
  /** How the cache waits; default: a timer. */
  wait?: ((ms: number, signal: AbortSignal) => Promise<unknown>) | undefined
}

/** `key` is the request's `cacheKey`, for a caller that has it already. */
export interface CachedSource {
  /** The token, where no mint has to be waited for. Not a promise: that would cost a cached answer three percent (measured). */
  hit(request: TokenRequest, key: string): CachedToken | undefined
  /** Throws a SidemintError. */
  mint(request: TokenRequest, key?: string): Promise<CachedToken>
  /** Ms that are left of a token, whatever the wall clock says never more than when it arrived. */
  readonly leftMs: (token: CachedToken) => number
  /** The youngest of the tokens that are kept, `most` of them, and how many there are. */
  list(most: number): { stored: StoredToken[]; count: number }
  /** Forgets every failure, so that the next request tries again. */
  forgetFailures(): void
  /** Forgets every token and every failure; the token of a running mint is answered but not stored. */
  clear(): void
  /** Aborts running mints, which fail with SERVER_STOPPING, as all later ones do; stops the sweep. */
  close(): void
}

export function createCache(options: CacheOptions): CachedSource {
  return new TokenCache(options)
}

class TokenCache implements CachedSource {
  readonly #options: CacheOptions
  readonly #clock: SteadyClock
  readonly #stored = new NodeCache({ useClones: false })
  readonly #eviction: Eviction
  readonly #failures: FailureMemory
  readonly #inFlight = new Map<string, Promise<CachedToken>>()
  readonly #closing = new AbortController()

  constructor(options: CacheOptions) {
    const limits = { keys: options.settings.cacheEntries, bytes: MOST_KEY_BYTES }
    this.#options = options
    this.#clock = createSteadyClock(options.now, options.elapsed)
    this.#failures = new FailureMemory(limits, this.#clock.now)
    this.#eviction = new Eviction(limits, (key) => this.#stored.del(key))
    this.#stored.on('del', (key: string) => this.#eviction.delete(key))
  }

  hit(request: TokenRequest, key: string): CachedToken | undefined {
    return this.#options.look?.() === undefined ? this.#fresh(request, key) : undefined
  }

  #fresh(request: TokenRequest, key: string): CachedToken | undefined {
    const entry = this.#stored.get<Entry>(key)
    if (entry === undefined) return undefined
    const standing = this.#standingOf(entry, request)
    if (standing === 'late' || standing === 'spent') return undefined
    if (standing === 'due' && this.#failures.get(key) === undefined) this.#refreshBehind(key, request)
    return serve(entry, 'hit')
  }

  async mint(request: TokenRequest, key = cacheKey(request)): Promise<CachedToken> {
    await this.#options.look?.()
    const token = this.#fresh(request, key)
    if (token !== undefined) return token
    const entry = this.#stored.get<Entry>(key)
    return entry !== undefined && this.#standingOf(entry, request) !== 'spent'
      ? this.#freshOrStale(key, request, entry)
      : this.#join(key, request)
  }

  readonly leftMs = ({ endsAtMs }: CachedToken): number => endsAtMs - this.#clock.now()

  list(most: number): { stored: StoredToken[]; count: number } {
    const keys = this.#stored.keys()
    const stored = keys.slice(-most).flatMap((key) => {
      const entry = this.#stored.get<Entry>(key)
      if (entry === undefined) return []
      return [describeStored(key, this.#lifeOf(entry))]
    })
    return { stored, count: keys.length }
  }

  forgetFailures(): void {
    this.#failures.clear()
  }

  clear(): void {
    this.#inFlight.clear()
    this.#failures.clear()
    this.#stored.del(this.#stored.keys())
  }

  close(): void {
    this.#closing.abort()
    this.clear()
    this.#stored.close()
  }

  #isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  #standingOf(entry: Entry, request: TokenRequest): Standing {
    return standingOf(request, this.#lifeOf(entry))
  }

  #lifeOf({ arrivedAtMs, setBackMs, hit: { endsAtMs } }: Entry): Life {
    const atMs = this.#clock.now()
    return {
      ageMs: atMs - arrivedAtMs,
      leftMs: endsAtMs - atMs,
      wholeMs: endsAtMs - arrivedAtMs,
      setBackMs: this.#clock.setBackMs - setBackMs,
    }
  }

  #refreshBehind(key: string, request: TokenRequest): void {
    if (!this.#inFlight.has(key) && this.#inFlight.size < MOST_MINTS) this.#start(key, request, true).catch(() => {})
  }

  /** Serves the stored token only while it is still stored: another login may remove it meanwhile. */
  async #freshOrStale(key: string, request: TokenRequest, entry: Entry): Promise<CachedToken> {
    const { wait = (ms, signal) => sleep(ms, undefined, { signal }) } = this.#options
    const minted = this.#join(key, request)
    const impatient = new AbortController()
    const patience = wait(PATIENCE_MS, impatient.signal).then(
      () => undefined,
      () => undefined,
    )
    try {
      const token = await Promise.race([minted, patience])
      if (token !== undefined) return token
    } catch (thrown) {
      if (!asFailure(thrown).transient) throw thrown
    } finally {
      impatient.abort()
    }
    if (this.#stored.get(key) !== entry || this.#standingOf(entry, request) === 'spent') return minted
    minted.catch(() => {})
    return serve(entry, 'stale')
  }

  /** The running mint, or a new one. Throws a remembered failure again. */
  async #join(key: string, request: TokenRequest): Promise<CachedToken> {
    const running = this.#inFlight.get(key)
    if (running !== undefined) return running.then((token) => ({ ...token, served: 'hit' }))
    const failed = this.#failures.get(key)
    if (failed !== undefined) throw failed
    if (this.#isClosed()) throw failure('SERVER_STOPPING', {})
    if (this.#inFlight.size >= MOST_MINTS) throw failure('MINTS_PENDING', { count: String(MOST_MINTS) })
    return this.#start(key, request, false)
  }

  /** A mint that ends after the cache was cleared stores nothing. */
  #start(key: string, request: TokenRequest, behind: boolean): Promise<CachedToken> {
    const { source, now, onMint } = this.#options
    const startedAtMs = now()
    const ended = (outcome: CachedToken | SidemintError) => {
      if (this.#inFlight.get(key) === running) {
        this.#inFlight.delete(key)
        this.#keep(key, outcome)
      }
      onMint?.(mintEvent(request, behind, startedAtMs, now(), outcome))
    }
    const running: Promise<CachedToken> = source.mint(request, this.#closing.signal).then(
      (token) => {
        const fp = request.kind === 'id' ? fingerprint(token.value) : undefined
        const arrived = { ...token, endsAtMs: this.#clock.now() + token.expiresAtMs - now(), fp }
        ended(arrived)
        return arrived
      },
      (thrown: unknown) => {
        const error = this.#isClosed() ? failure('SERVER_STOPPING', {}) : asFailure(thrown)
        ended(error)
        throw error
      },
    )
    this.#inFlight.set(key, running)
    return running
  }

  #keep(key: string, outcome: CachedToken | SidemintError): void {
    if (outcome instanceof SidemintError) {
      this.#failures.add(key, outcome)
      return
    }
    this.#failures.delete(key)
    const leftMs = this.leftMs(outcome)
    if (!(leftMs > 0)) return
    const entry: Entry = {
      hit: { ...outcome, served: 'hit' },
      arrivedAtMs: this.#clock.now(),
      setBackMs: this.#clock.setBackMs,
      seen: { hit: false, stale: false },
    }
    this.#stored.set(key, entry, leftMs / 1000)
    this.#eviction.renew(key)
  }
}
