/**
 * Google's paths: `/` and everything under `/computeMetadata`, as one middleware over the tree. A value, a listing
 * or a redirect is answered from data; a leaf asks the identity's tokens.
 */

import type { Context, Middleware } from 'koa'
import { type Caller, callerLabel } from '../callers.ts'
import { asFailure, failure, SidemintError } from '../errors.ts'
import type { Events, RequestEvent } from '../events.ts'
import { createGlob } from '../glob.ts'
import type { Identity } from '../identities.ts'
import type { Token, TokenRequest } from '../token.ts'
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
  type Value,
} from '../tree.ts'
import { type Answer, badRequest, forbidden, noServiceAccount, notFound, TYPES, WireError } from '../wire.ts'
import { writeAnswer } from './answer.ts'
import type { GuardedState } from './guard.ts'
import { isTruthy } from './leaves.ts'
import type { Target } from './target.ts'
import { createTreeData, type Place } from './tree-data.ts'

/** Whoever sent a request. */
export interface Asker {
  caller: Caller
  /** None: the tree is shown without service accounts. */
  identity: Identity | undefined
}

export interface MetadataOptions extends Place {
  allowAudience: readonly string[]
  whoAsks: (ctx: Context, host: string) => Asker | Promise<Asker>
  /** A failure that a test ordered for this token request. */
  ordered: () => SidemintError | undefined
  events: Events
}

/** gcloud asks for it before every token command, whatever the user asked. */
const GCLOUD_AUDIENCE = '32555940559.apps.googleusercontent.com'

/** What was asked for, as far as it could be read. */
type Asked = TokenRequest | Pick<TokenRequest, 'kind'>

const NO_SCOPES: readonly string[] = []

const LEGACY_DETAIL = (path: string) =>
  `Legacy metadata endpoint accessed: ${path}\nLegacy metadata endpoints are disabled. Please use the /v1/ endpoint.`

export function createMetadata(options: MetadataOptions): Middleware<GuardedState> {
  const { whoAsks, ordered, events, now } = options
  const isAllowed = createGlob(options.allowAudience)
  const trees = new Map<Identity | undefined, Directory>()

  function treeOf(identity: Identity | undefined): Directory {
    let tree = trees.get(identity)
    if (tree === undefined) {
      tree = createTreeData(identity, options)
      trees.set(identity, tree)
    }
    return tree
  }

  async function answerLeaf(asker: Asker, identity: Identity, leaf: Leaf, target: Target): Promise<Answer> {
    const startedAtMs = now()
    let asked: TokenRequest | undefined
    try {
      const { request, answer } = leaf(target.query)
      asked = request
      const failing = ordered()
      if (failing !== undefined) throw failing
      if (request.kind === 'id') checkAudience(request.audience)
      const token = await identity.tokens.mint(request)
      events.record(requestEvent(asker, asked, startedAtMs, token))
      return answer(token)
    } catch (thrown) {
      const error = asked?.kind === 'id' && asked.audience === GCLOUD_AUDIENCE ? asGcloudNeeds(thrown) : thrown
      events.record(requestEvent(asker, asked ?? unread(target), startedAtMs, error))
      throw error
    }
  }

  function checkAudience(audience: string): void {
    if (isAllowed(audience) || audience === GCLOUD_AUDIENCE) return
    throw failure('AUDIENCE_NOT_ALLOWED', { audience, allowed: options.allowAudience.join(', ') })
  }

  function requestEvent(asker: Asker, asked: Asked, startedAtMs: number, outcome: unknown): RequestEvent {
    const at = now()
    const { result, status, first, expiresAtMs, code, reason } = resultOf(outcome)
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
  function refuseAccount(asker: Asker, target: Target): WireError {
    const error = asker.identity === undefined ? noServiceAccount() : notFound(target.text)
    events.record(requestEvent(asker, unread(target), now(), error))
    if (asker.identity === undefined)
      events.record({ type: 'notice', at: now(), level: 'warn', ...strangerNotice(asker.caller) })
    return error
  }

  return async function metadata(ctx, next) {
    const { target } = ctx.state
    const { segments, path, text } = target
    if (segments === undefined) throw notFound(text)
    if (segments.length === 0) return writeAnswer(ctx, value(list(treeOf(undefined))))
    if (segments[0] !== 'computeMetadata') return next()
    if (segments[1] === 'v1beta1') throw forbidden(path, LEGACY_DETAIL(path))
    const asking = whoAsks(ctx, target.host)
    const asker = asking instanceof Promise ? await asking : asking
    const node = resolve(treeOf(asker.identity), segments)
    if (node === undefined) {
      if (isTokenPath(segments)) throw refuseAccount(asker, target)
      throw isGuestAttributes(segments) ? guestAttributesDisabled() : notFound(text)
    }
    if (isDirectory(node) && !path.endsWith('/')) return writeAnswer(ctx, redirect(target))
    if (!isDirectory(node) && path.endsWith('/')) throw notFound(text)
    if (typeof node === 'function' && asker.identity !== undefined) {
      return writeAnswer(ctx, await answerLeaf(asker, asker.identity, node, target))
    }
    writeAnswer(ctx, answerData(node, segments.at(-1) ?? '', target.query))
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
function redirect({ host, path, text }: Target): Answer {
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

type Result = Pick<RequestEvent, 'result' | 'status' | 'code' | 'reason' | 'expiresAtMs' | 'first'>

function resultOf(outcome: unknown): Result {
  if (isToken(outcome)) {
    const { served, first, expiresAtMs } = outcome
    return { result: served, status: 200, expiresAtMs, first }
  }
  if (outcome instanceof WireError) return { result: 'error', status: outcome.answer.status, reason: outcome.message }
  const { status, code, message, fix } = asFailure(outcome)
  return { result: 'error', status, code, reason: `${message}. Fix: ${fix}` }
}

function isToken(outcome: unknown): outcome is Token {
  return typeof outcome === 'object' && outcome !== null && 'served' in outcome
}
