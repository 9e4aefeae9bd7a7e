/**
 * Tokens in memory: a source around another source. One mint at a time for each key, refreshed behind an answer,
 * a still valid token through an outage, failures remembered for a moment. node-cache holds the entries and sweeps
 * them; what is fresh is decided here, by the clock that is passed in.
 */

import NodeCache from 'node-cache'
import { asFailure, failure, type SidemintError } from '../core/errors.ts'
import type { MintEvent } from '../core/events.ts'
import { cacheKey, type Token, type TokenRequest, type TokenSource } from '../core/token.ts'

const MINUTE_MS = 60_000
/** Go takes a fetched ID token for an hour and PHP for 25 minutes, whatever its `exp` says. */
const ID_FRESH_MS = 5 * MINUTE_MS
const ID_REFRESH_MS = 4 * MINUTE_MS
/** Clients ask again on every call once their token has 3:45 to 5 minutes left. */
const ACCESS_FRESH_LEFT_MS = 5 * MINUTE_MS
const ACCESS_REFRESH_LEFT_MS = 10 * MINUTE_MS
/** A metadata server gives out one token until five minutes are left of it: asking at every hit brings no other. */
const ACCESS_REFRESH_AGE_MS = MINUTE_MS
/** Below this no token is served, however Google fares. */
const LEAST_LEFT_MS = MINUTE_MS
/** Ruby, PHP and .NET give up after 500 ms. */
const PATIENCE_MS = 300
/** Five retries of five clients must not become 25 calls. */
const TRANSIENT_MEMORY_MS = 3_000
const PERMANENT_MEMORY_MS = 10_000
/** Under way at once; a mint ends within 10 s, so only a caller gone wild meets this. */
const MOST_MINTS = 10_000
/** A changed login is noticed within this time. */
const LOOK_EVERY_MS = 1_000

interface Entry {
  /** As it is served from here on, so a hit makes no object. */
  hit: Token
  /** When the mint was answered; age counts from here, never from `iat`. */
  arrivedAtMs: number
  /** Ways in which it was served before. */
  seen: { hit: boolean; stale: boolean }
}

interface Failure {
  error: SidemintError
  atMs: number
}

export interface CacheOptions {
  source: TokenSource
  /** The most entries that are kept; beyond it the oldest goes. */
  entries: number
  /** Epoch ms. */
  now: () => number
  onMint?: (event: MintEvent) => void
  /** What the source mints from, as a version; another one drops all tokens and failures. */
  version?: (() => Promise<string>) | undefined
  /** Hears that the version is another one. */
  onChange?: () => void
}

export interface CachedSource extends TokenSource {
  /** The token where no mint is to be waited for: measured, a promise costs a cached answer three percent. */
  hit(request: TokenRequest): Token | undefined
  /** Forgets every token and every failure; a mint under way is answered but not stored. */
  clear(): void
  /** Aborts the mints under way and stops the sweep. */
  close(): void
}

export function createCache({ source, entries, now, onMint, version, onChange }: CacheOptions): CachedSource {
  const stored = new NodeCache({ useClones: false, stdTTL: 1 })
  const order = new Set<string>()
  const failures = new Map<string, Failure>()
  const inFlight = new Map<string, Promise<Token>>()
  const evictToken = createEviction(order, entries, (key) => stored.del(key))
  const evictFailure = createEviction(failures, entries, (key) => failures.delete(key))
  const closing = new AbortController()
  const keys = new WeakMap<TokenRequest, string>()
  let generation = Symbol()
  let seenVersion: string | undefined
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let looking: Promise<void> | undefined
  stored.on('del', (key: string) => order.delete(key))

  function hit(request: TokenRequest): Token | undefined {
    const key = keyOf(request)
    const entry = stored.get<Entry>(key)
    if (entry === undefined) return undefined
    const { ageMs, leftMs } = lifeOf(entry)
    if (!isFresh(request.kind, ageMs, leftMs)) return undefined
    if (isDue(request.kind, ageMs, leftMs) && remembered(key) === undefined) refreshBehind(key, request)
    else lookBehind()
    return serve(entry, 'hit')
  }

  async function mint(request: TokenRequest): Promise<Token> {
    const token = hit(request)
    if (token !== undefined) return token
    const key = keyOf(request)
    const entry = stored.get<Entry>(key)
    return entry === undefined || lifeOf(entry).leftMs < LEAST_LEFT_MS
      ? join(key, request)
      : freshOrStale(key, request, entry)
  }

  function lifeOf({ arrivedAtMs, hit: { expiresAtMs } }: Entry): { ageMs: number; leftMs: number } {
    const atMs = now()
    return { ageMs: atMs - arrivedAtMs, leftMs: expiresAtMs - atMs }
  }

  /** A URL that is asked again is the same request again, and a key that is looked up again is found by its identity. */
  function keyOf(request: TokenRequest): string {
    let key = keys.get(request)
    if (key === undefined) {
      key = cacheKey(request)
      keys.set(request, key)
    }
    return key
  }

  /** The mint under way, or a new one; a remembered failure is thrown again. */
  async function join(key: string, request: TokenRequest): Promise<Token> {
    if (remembered(key) !== undefined) await look()
    const running = inFlight.get(key)
    if (running !== undefined) return running.then((token) => ({ ...token, served: 'hit' }))
    const failed = remembered(key)
    if (failed !== undefined) throw failed
    if (inFlight.size >= MOST_MINTS) throw failure('MINTS_PENDING', { count: String(MOST_MINTS) })
    return start(key, request, false)
  }

  function start(key: string, request: TokenRequest, behind: boolean): Promise<Token> {
    const startedAtMs = now()
    let begun = generation
    const running = look()
      .then(() => {
        begun = generation
        inFlight.set(key, running)
        return source.mint(request, closing.signal)
      })
      .then(
        (token) => {
          if (begun === generation) {
            inFlight.delete(key)
            store(key, token)
          }
          report(request, behind, startedAtMs, token)
          return token
        },
        (thrown: unknown) => {
          const error = asFailure(thrown)
          if (begun === generation) {
            inFlight.delete(key)
            remember(key, error)
          }
          report(request, behind, startedAtMs, error)
          throw error
        },
      )
    inFlight.set(key, running)
    return running
  }

  /** Whether the source has changed, asked once a second at most; a mint asks first, an answer asks behind. */
  function look(): Promise<void> {
    const waitedMs = now() - lookedAtMs
    if (looking !== undefined) return looking
    if (version === undefined || (waitedMs >= 0 && waitedMs < LOOK_EVERY_MS)) return Promise.resolve()
    lookedAtMs = now()
    looking = version().then((found) => {
      looking = undefined
      const changed = seenVersion !== undefined && found !== seenVersion
      seenVersion = found
      if (!changed) return
      clear()
      onChange?.()
    })
    return looking
  }

  function lookBehind(): void {
    if (version !== undefined) look().catch(() => {})
  }

  function refreshBehind(key: string, request: TokenRequest): void {
    if (!inFlight.has(key) && inFlight.size < MOST_MINTS) start(key, request, true).catch(() => {})
  }

  async function freshOrStale(key: string, request: TokenRequest, entry: Entry): Promise<Token> {
    const minted = join(key, request)
    const impatience = Promise.withResolvers<undefined>()
    const timer = setTimeout(impatience.resolve, PATIENCE_MS, undefined)
    try {
      const token = await Promise.race([minted, impatience.promise])
      if (token !== undefined) return token
      minted.catch(() => {})
    } catch (thrown) {
      if (!asFailure(thrown).transient) throw thrown
    } finally {
      clearTimeout(timer)
    }
    return serve(entry, 'stale')
  }

  function store(key: string, token: Token): void {
    const ttlSeconds = (token.expiresAtMs - now()) / 1000
    failures.delete(key)
    if (!(ttlSeconds > 0)) return
    order.delete(key)
    order.add(key)
    const entry: Entry = { hit: { ...token, served: 'hit' }, arrivedAtMs: now(), seen: { hit: false, stale: false } }
    stored.set(key, entry, ttlSeconds)
    evictToken()
  }

  function remember(key: string, error: SidemintError): void {
    failures.delete(key)
    failures.set(key, { error, atMs: now() })
    evictFailure()
  }

  function remembered(key: string): SidemintError | undefined {
    const failed = failures.get(key)
    if (failed === undefined) return undefined
    const ageMs = now() - failed.atMs
    const memoryMs = failed.error.transient ? TRANSIENT_MEMORY_MS : PERMANENT_MEMORY_MS
    if (ageMs >= 0 && ageMs < memoryMs) return failed.error
    failures.delete(key)
    return undefined
  }

  function report(request: TokenRequest, behind: boolean, startedAtMs: number, outcome: Token | SidemintError): void {
    onMint?.({
      type: 'mint',
      at: now(),
      kind: request.kind,
      audience: request.kind === 'id' ? request.audience : '',
      scopes: request.kind === 'access' ? request.scopes : [],
      identity: request.principal,
      behind,
      tookMs: now() - startedAtMs,
      ...('value' in outcome
        ? { expiresAtMs: outcome.expiresAtMs }
        : { code: outcome.code, reason: outcome.message, transient: outcome.transient }),
    })
  }

  function clear(): void {
    generation = Symbol()
    inFlight.clear()
    failures.clear()
    stored.del(stored.keys())
  }

  return {
    hit,
    mint,
    clear,
    close() {
      closing.abort()
      clear()
      stored.close()
    },
  }
}

/** A clock that went backwards makes an age negative; such a token counts as old. */
function isFresh(kind: TokenRequest['kind'], ageMs: number, leftMs: number): boolean {
  if (leftMs < LEAST_LEFT_MS || ageMs < 0) return false
  return kind === 'id' ? ageMs <= ID_FRESH_MS : leftMs > ACCESS_FRESH_LEFT_MS
}

function isDue(kind: TokenRequest['kind'], ageMs: number, leftMs: number): boolean {
  return kind === 'id' ? ageMs >= ID_REFRESH_MS : leftMs <= ACCESS_REFRESH_LEFT_MS && ageMs >= ACCESS_REFRESH_AGE_MS
}

function serve(entry: Entry, served: 'hit' | 'stale'): Token {
  if (!entry.seen[served]) {
    entry.seen[served] = true
    return { ...entry.hit, served, first: true }
  }
  return served === 'hit' ? entry.hit : { ...entry.hit, served }
}

/**
 * Evicts the oldest keys beyond `most`, in constant time: all that the iterator passes is evicted, so it stays at the
 * oldest key, where a new one would first cross the holes that earlier evictions left. It is renewed now and then
 * all the same, since V8 keeps every table that a Set outgrew for an iterator that has not moved since.
 */
function createEviction(keys: Set<string> | Map<string, unknown>, most: number, evict: (key: string) => void) {
  let oldest = keys.keys()
  let calls = 0
  return () => {
    calls += 1
    if (calls % most === 0) oldest = keys.keys()
    while (keys.size > most) evict(oldest.next().value as string)
  }
}
