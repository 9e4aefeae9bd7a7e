/**
 * Google's paths: `/` and everything under `/computeMetadata`, as one surface over the tree. A value, a listing
 * or a redirect is answered from data; a leaf asks the identity's tokens.
 */

import type { Value } from '../config/settings.ts'
import { asFailure, failure, SidemintError, withFix } from '../core/errors.ts'
import type { Events, RequestEvent } from '../core/events.ts'
import { createGlob } from '../core/glob.ts'
import { GCLOUD_CLIENT_ID } from '../core/google.ts'
import type { Token, TokenRequest } from '../core/token.ts'
import type { Inbound, Surface, Target } from '../http/target.ts'
import { type Answer, badRequest, forbidden, noServiceAccount, notFound, TYPES, WireError } from '../http/wire.ts'
import { type Caller, callerLabel } from '../identity/callers.ts'
import type { Identity } from '../identity/identities.ts'
import type { InjectedFailures } from './failures.ts'
import { createTreeData, type Place } from './keys.ts'
import { isTruthy } from './leaves.ts'
import {
  type Directory,
  defaultFormat,
  etag,
  isDirectory,
  type Leaf,
  list,
  type Node,
  resolve,
  toJson,
  toText,
  toTextLines,
} from './tree.ts'

/** Who sent a request, and as whom it is answered. */
export interface IdentifiedCaller {
  caller: Caller
  /** None: the tree is shown without service accounts. */
  identity: Identity | undefined
}

export interface MetadataOptions extends Place {
  allowAudience: readonly string[]
  identify: (inbound: Inbound) => IdentifiedCaller | Promise<IdentifiedCaller>
  injected: Pick<InjectedFailures, 'next'>
  events: Events
}

/** What was asked for, as far as it could be read. */
type Asked = TokenRequest | Pick<TokenRequest, 'kind'>

const NO_SCOPES: readonly string[] = []

const LEGACY_DETAIL = (path: string) =>
  `Legacy metadata endpoint accessed: ${path}\nLegacy metadata endpoints are disabled. Please use the /v1/ endpoint.`

/** What a URL means in one identity's tree, read once. */
type Responder = (asker: IdentifiedCaller, host: string) => Answer | Promise<Answer>

/** What one identity is shown. */
interface View {
  tree: Directory
  responders: WeakMap<Target, Responder>
}

export function createMetadata(options: MetadataOptions): Surface {
  const { identify, injected, events, now } = options
  const isAllowed = createGlob(options.allowAudience)
  const views = new Map<Identity | undefined, View>()

  function viewOf(identity: Identity | undefined): View {
    let view = views.get(identity)
    if (view === undefined) {
      view = { tree: createTreeData(identity, options), responders: new WeakMap() }
      views.set(identity, view)
    }
    return view
  }

  function respond(asker: IdentifiedCaller, { target, host }: Inbound): Answer | Promise<Answer> {
    const { tree, responders } = viewOf(asker.identity)
    let responder = responders.get(target)
    if (responder === undefined) {
      responder = read(tree, asker, target)
      responders.set(target, responder)
    }
    return responder(asker, host)
  }

  function read(tree: Directory, asker: IdentifiedCaller, target: Target): Responder {
    const { segments = [], path, text } = target
    const node = resolve(tree, segments)
    if (node === undefined) {
      if (isTokenPath(segments)) throw refuseAccount(asker, target)
      throw isGuestAttributes(segments) ? guestAttributesDisabled() : notFound(text)
    }
    if (isDirectory(node) && !path.endsWith('/')) return (_, host) => redirect(host, target)
    if (!isDirectory(node) && path.endsWith('/')) throw notFound(text)
    if (typeof node === 'function' && asker.identity !== undefined) return readLeaf(asker.identity, node, target)
    const answer = answerData(node, segments.at(-1) ?? '', target.query)
    return () => answer
  }

  function readLeaf({ tokens }: Identity, leaf: Leaf, target: Target): Responder {
    let known: ReturnType<Leaf> | undefined
    const reading = () => (known ??= leaf(target.query))

    function ask(): Token | Promise<Token> {
      const { request } = reading()
      const failing = injected.next()
      if (failing !== undefined) throw failing
      if (request.kind === 'id') checkAudience(request.audience)
      return tokens.hit(request) ?? tokens.mint(request)
    }

    function serve(asker: IdentifiedCaller, startedAtMs: number, token: Token): Answer {
      const { request, answer } = reading()
      events.record(requestEvent(asker, request, startedAtMs, resultOf(token)))
      return answer(token)
    }

    function refuse(asker: IdentifiedCaller, startedAtMs: number, thrown: unknown): never {
      const asked = known?.request ?? unread(target)
      const error = 'audience' in asked && asked.audience === GCLOUD_CLIENT_ID ? asGcloudNeeds(thrown) : thrown
      events.record(requestEvent(asker, asked, startedAtMs, failureOf(error)))
      throw error
    }

    return (asker) => {
      const startedAtMs = now()
      let token: Token | Promise<Token>
      try {
        token = ask()
      } catch (thrown) {
        return refuse(asker, startedAtMs, thrown)
      }
      return token instanceof Promise
        ? token.then(serve.bind(undefined, asker, startedAtMs), refuse.bind(undefined, asker, startedAtMs))
        : serve(asker, startedAtMs, token)
    }
  }

  function checkAudience(audience: string): void {
    // gcloud asks for its own before every token command, whatever the user asked.
    if (isAllowed(audience) || audience === GCLOUD_CLIENT_ID) return
    throw failure('AUDIENCE_NOT_ALLOWED', { audience, allowed: options.allowAudience.join(', ') })
  }

  function requestEvent(asker: IdentifiedCaller, asked: Asked, startedAtMs: number, outcome: Outcome): RequestEvent {
    const at = now()
    const { result, status, first, expiresAtMs, code, reason } = outcome
    return {
      type: 'request',
      at,
      kind: asked.kind,
      audience: 'audience' in asked ? asked.audience : '',
      scopes: 'scopes' in asked ? asked.scopes : NO_SCOPES,
      identity: 'principal' in asked ? asked.principal : (asker.identity?.email ?? ''),
      caller: callerLabel(asker.caller),
      result,
      status,
      code,
      reason,
      tookMs: at - startedAtMs,
      expiresAtMs,
      first,
    }
  }

  /** Without an identity, and for an account that the identity may not name. */
  function refuseAccount(asker: IdentifiedCaller, target: Target): WireError {
    const error = asker.identity === undefined ? noServiceAccount() : notFound(target.text)
    events.record(requestEvent(asker, unread(target), now(), failureOf(error)))
    if (asker.identity === undefined)
      events.record({ type: 'notice', at: now(), level: 'warn', ...strangerNotice(asker.caller) })
    return error
  }

  return (inbound) => {
    const { segments, path, text } = inbound.target
    if (segments === undefined) throw notFound(text)
    if (segments.length === 0) return value(list(viewOf(undefined).tree))
    if (segments[0] !== 'computeMetadata') return undefined
    if (segments[1] === 'v1beta1') throw forbidden(path, LEGACY_DETAIL(path))
    const asker = identify(inbound)
    return asker instanceof Promise ? asker.then((known) => respond(known, inbound)) : respond(asker, inbound)
  }
}

function answerData(node: Node, key: string, query: URLSearchParams): Answer {
  const recursive = isTruthy(query.get('recursive'))
  const format = query.get('alt')?.toLowerCase()
  if (format !== undefined && format !== 'json' && format !== 'text') throw badRequest('alt must be json or text')
  const timeout = query.get('timeout_sec')
  if (timeout !== null && !/^\d+$/.test(timeout)) throw badRequest('timeout_sec must be an integer')
  const headers = ['ETag', etag(node, recursive)]
  if (!isDirectory(node)) {
    const asJson = (format ?? defaultFormat(key)) === 'json'
    return asJson
      ? { status: 200, type: TYPES.json, body: toJson(node), headers }
      : { ...value(toText(node as Value)), headers }
  }
  if (recursive) {
    return format === 'text'
      ? { ...value(toTextLines(node)), headers }
      : { status: 200, type: TYPES.json, body: toJson(node, key), headers }
  }
  if (format !== undefined) throw badRequest('alt needs recursive=true on a directory')
  if (isTruthy(query.get('wait_for_change'))) throw badRequest('wait_for_change needs recursive=true on a directory')
  return { ...value(list(node)), headers }
}

function value(body: string): Answer {
  return { status: 200, type: TYPES.text, body }
}

/** Absolute and from the request's own Host: Node's probe follows it, and a wrong port in it broke Node and .NET. */
function redirect(host: string, { path, text }: Target): Answer {
  const location = `http://${host}${text.replace(/(?=\?|$)/, '/')}`
  return { status: 301, type: TYPES.html, body: `${path}/\n`, headers: ['Location', location] }
}

/** gcloud takes 404 for "no ID token here" and goes on; any other status it crashes on. */
function asGcloudNeeds(thrown: unknown): unknown {
  if (thrown instanceof WireError) return thrown
  const { code, message, fix } = asFailure(thrown)
  return new SidemintError(code, 404, message, fix)
}

function unread({ path }: Target): Asked {
  return { kind: path.endsWith('/token') ? 'access' : 'id' }
}

function strangerNotice(caller: Caller): { code: string; text: string } {
  const label = callerLabel(caller)
  const who = label === caller.address ? label : `${label} (${caller.address})`
  return {
    code: 'CALLER_UNKNOWN',
    text: `${who} has no identity. Fix: add "callers: [${label}]" to one under identities: in sidemint.yaml, or an entry without callers for everybody else`,
  }
}

function isTokenPath(segments: readonly string[]): boolean {
  const key = segments.at(-1)
  return segments.length === 6 && segments[3] === 'service-accounts' && (key === 'token' || key === 'identity')
}

function isGuestAttributes(segments: readonly string[]): boolean {
  return segments[2] === 'instance' && segments[3] === 'guest-attributes'
}

function guestAttributesDisabled(): WireError {
  const body = 'Guest attributes endpoint access is disabled.'
  return new WireError(body, { status: 403, type: TYPES.html, body })
}

type Outcome = Pick<RequestEvent, 'result' | 'status' | 'code' | 'reason' | 'expiresAtMs' | 'first'>

function resultOf({ served, first, expiresAtMs }: Token): Outcome {
  return { result: served, status: 200, code: undefined, reason: undefined, expiresAtMs, first }
}

function failureOf(thrown: unknown): Outcome {
  if (thrown instanceof WireError) return { result: 'error', status: thrown.answer.status, reason: thrown.message }
  const error = asFailure(thrown)
  return { result: 'error', status: error.status, code: error.code, reason: withFix(error) }
}
