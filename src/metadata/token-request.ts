/** Answers a request for a token from the identity's cache, and records it as an event. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Settings } from '../config/settings.ts'
import { asFailure, failure, SidemintError, withFix } from '../core/errors.ts'
import type { Events, RequestEvent } from '../core/events.ts'
import { createGlob } from '../core/glob.ts'
import { GCLOUD_CLIENT_ID } from '../core/google.ts'
import { shownAudience } from '../core/secrets.ts'
import type { TokenRequest } from '../core/token.ts'
import { type Answer, Dropped, WireError } from '../http/wire.ts'
import { type Caller, callerLabel } from '../identity/callers.ts'
import type { Identity } from '../identity/identity.ts'
import type { CachedToken } from '../mint/cache.ts'
import type { InjectedFailure, InjectedFailures } from './failures.ts'
import type { Hit } from './hits.ts'

/** Who sent a request, and as whom it is answered. */
export interface IdentifiedCaller {
  caller: Caller
  /** Undefined: the tree has no service accounts for this caller. */
  identity: Identity | undefined
}

export interface TokenRequestOptions extends Pick<Settings, 'allowAudience'> {
  injected: Pick<InjectedFailures, 'next'>
  events: Events
  /** Epoch ms. */
  now: () => number
}

/** What was asked for, as events may have it; only in part where the query could not be read. */
export type Asked = TokenRequest | { kind: 'id'; audience: string } | { kind: 'access' }

export class TokenRequests {
  readonly #options: TokenRequestOptions
  readonly #isAllowed: (audience: string) => boolean

  constructor(options: TokenRequestOptions) {
    this.#options = options
    this.#isAllowed = createGlob(options.allowAudience)
  }

  /** Answers from the cache, or once a token is minted. Throws the refusal. */
  answer(from: IdentifiedCaller, identity: Identity, hit: Hit): Answer | Promise<Answer> {
    const startedAtMs = this.#options.now()
    const ordered = isGcloud(hit.request) ? undefined : this.#options.injected.next(hit.request)
    if (ordered !== undefined) return this.#fail(from, hit.shown, startedAtMs, ordered)
    let token: CachedToken | undefined
    try {
      this.#check(hit.request)
      token = identity.tokens.hit(hit.request, hit.key)
    } catch (thrown) {
      return this.refuse(from, hit.shown, startedAtMs, thrown)
    }
    return token === undefined
      ? this.#mint(from, identity, hit, startedAtMs)
      : this.#serve(from, identity, hit, startedAtMs, token)
  }

  /** Records the refusal of a request, and throws it. */
  refuse(from: IdentifiedCaller, asked: Asked, startedAtMs: number, thrown: unknown): never {
    const error = isGcloud(asked) ? asGcloudNeeds(thrown) : thrown
    this.#record(from, requestEvent(from, asked, startedAtMs, this.#options.now(), failureOf(error)))
    throw error
  }

  /** What a test ordered. A connection that is ended has no status: the event has 0. */
  async #fail(from: IdentifiedCaller, asked: Asked, startedAtMs: number, ordered: InjectedFailure): Promise<never> {
    const { error, delayMs, drop } = ordered
    if (delayMs !== undefined) await sleep(delayMs, undefined, { ref: false })
    if (!drop) return this.refuse(from, asked, startedAtMs, error)
    const outcome = { ...failureOf(error), status: 0 }
    this.#record(from, requestEvent(from, asked, startedAtMs, this.#options.now(), outcome))
    throw new Dropped()
  }

  /** gcloud asks for its own audience before every command that needs a token (docs/wire.md, "gcloud"), so that is always allowed. */
  #check(request: TokenRequest): void {
    if (isGcloud(request)) return
    if (request.kind === 'id' && !this.#isAllowed(request.audience)) {
      const allowed = this.#options.allowAudience.join(', ')
      throw failure('AUDIENCE_NOT_ALLOWED', { audience: shownAudience(request.audience), allowed })
    }
  }

  #serve(from: IdentifiedCaller, identity: Identity, hit: Hit, startedAtMs: number, token: CachedToken): Answer {
    this.#record(from, requestEvent(from, hit.shown, startedAtMs, this.#options.now(), resultOf(token)))
    return hit.answer(token, identity.tokens.leftMs)
  }

  /** Whoever has waited for a mint need not wait for its line of the log, too. */
  async #mint(from: IdentifiedCaller, identity: Identity, hit: Hit, startedAtMs: number): Promise<Answer> {
    try {
      const token = await identity.tokens.mint(hit.request, hit.key)
      const event = requestEvent(from, hit.shown, startedAtMs, this.#options.now(), resultOf(token))
      return { ...hit.answer(token, identity.tokens.leftMs), onSent: () => this.#record(from, event) }
    } catch (thrown) {
      return this.refuse(from, hit.shown, startedAtMs, thrown)
    }
  }

  /** Waits for the caller's name: people look for the first line of their service. */
  #record({ caller }: IdentifiedCaller, event: RequestEvent): void {
    const { events } = this.#options
    if (caller.naming === undefined) events.record(event)
    else void caller.naming.then(() => events.record({ ...event, caller: callerLabel(caller) }))
  }
}

function isGcloud(asked: Asked): boolean {
  return asked.kind === 'id' && 'audience' in asked && asked.audience === GCLOUD_CLIENT_ID
}

/** gcloud goes on after a 404 and crashes on any other refusal (docs/wire.md, "gcloud"). */
function asGcloudNeeds(thrown: unknown): unknown {
  if (thrown instanceof WireError) return thrown
  const { code, message, fix } = asFailure(thrown)
  return new SidemintError(code, 404, message, fix)
}

const NO_SCOPES: readonly string[] = []

type Outcome = Pick<RequestEvent, 'result' | 'status' | 'code' | 'reason' | 'expiresAtMs' | 'first' | 'fp'>

function requestEvent(
  { caller, identity }: IdentifiedCaller,
  asked: Asked,
  startedAtMs: number,
  at: number,
  { result, status, first, expiresAtMs, code, reason, fp }: Outcome,
): RequestEvent {
  return {
    type: 'request',
    at,
    kind: asked.kind,
    audience: 'audience' in asked ? asked.audience : '',
    scopes: 'scopes' in asked ? asked.scopes : NO_SCOPES,
    identity: ('principal' in asked ? asked.principal : undefined) ?? identity?.email ?? '',
    caller: callerLabel(caller),
    result,
    status,
    code,
    reason,
    tookMs: at - startedAtMs,
    expiresAtMs,
    first,
    fp,
  }
}

function resultOf({ served, first, expiresAtMs, fp }: CachedToken): Outcome {
  return { result: served, status: 200, code: undefined, reason: undefined, expiresAtMs, first, fp }
}

function failureOf(thrown: unknown): Outcome {
  if (thrown instanceof WireError) return { result: 'error', status: thrown.answer.status, reason: thrown.message }
  const { status, code, message, fix } = asFailure(thrown)
  return { result: 'error', status, code, reason: withFix({ message, fix }) }
}
