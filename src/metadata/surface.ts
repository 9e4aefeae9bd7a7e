/**
 * Google's paths, `/` and everything under `/computeMetadata`, answered from the tree. Values, listings and redirects
 * are data; a leaf asks the identity for a token. The rules are those of docs/wire.md, "Directories", "Recursion and
 * formats" and "Query parameters".
 */

import { shownAudience } from '../core/secrets.ts'
import type { Inbound, Surface, Target } from '../http/target.ts'
import { type Answer, createAnswer, forbidden, noServiceAccount, notFound, TYPES, WireError } from '../http/wire.ts'
import { createHits, Hit } from './hits.ts'
import { createTreeData, type TreeOptions } from './keys.ts'
import { createStrangers, type Strangers } from './strangers.ts'
import { type Asked, type IdentifiedCaller, type TokenRequestOptions, TokenRequests } from './token-request.ts'
import { type Directory, isDirectory, type Leaf, list, resolve } from './tree.ts'
import { answerData } from './values.ts'
import type { Waiting } from './waiting.ts'

export interface MetadataOptions extends TreeOptions, TokenRequestOptions {
  identify: (inbound: Inbound) => IdentifiedCaller | Promise<IdentifiedCaller>
  waiting: Pick<Waiting, 'hold'>
}

/** Stands for every caller without an identity. */
const STRANGER = {}

export function createMetadata(options: MetadataOptions): Surface {
  const metadata = new Metadata(options)
  return (inbound) => metadata.answer(inbound)
}

class Metadata {
  readonly #options: MetadataOptions
  readonly #tokens: TokenRequests
  readonly #hits = createHits()
  readonly #strangers: Strangers
  readonly #trees = new WeakMap<object, Directory>()

  constructor(options: MetadataOptions) {
    this.#options = options
    this.#tokens = new TokenRequests(options)
    this.#strangers = createStrangers(options.events, options.now)
  }

  answer(inbound: Inbound): ReturnType<Surface> {
    const { target } = inbound
    if (!target.isMetadata) {
      if (target.segments === undefined) throw notFound(target.text)
      return target.segments.length === 0 ? listing(this.#treeOf(undefined)) : undefined
    }
    const from = this.#options.identify(inbound)
    return from instanceof Promise ? from.then((known) => this.#respond(known, inbound)) : this.#respond(from, inbound)
  }

  #respond(from: IdentifiedCaller, inbound: Inbound): Answer | Promise<Answer> {
    const { identity } = from
    if (identity !== undefined) {
      const known = this.#hits.get(identity, inbound.target.text)
      if (known !== undefined) return this.#tokens.answer(from, identity, known)
    }
    return this.#read(from, inbound)
  }

  #read(from: IdentifiedCaller, inbound: Inbound): Answer | Promise<Answer> {
    const { target, host } = inbound
    const { segments, path, text, query } = target
    if (segments === undefined) throw notFound(text)
    if (segments[1] === 'v1beta1') throw forbidden(path, legacyDetail(path))
    const node = resolve(this.#treeOf(from.identity), segments)
    if (node === undefined) {
      if (isTokenPath(segments)) throw this.#refuseAccount(from, target)
      if (from.identity === undefined && segments[3] === 'service-accounts') this.#strangers.tell(from.caller, query)
      throw missing(segments, text)
    }
    if (isDirectory(node) && !path.endsWith('/')) return redirect(host, target)
    if (!isDirectory(node) && path.endsWith('/')) throw notFound(text)
    return typeof node === 'function'
      ? this.#readLeaf(from, node, target)
      : this.#options.waiting.hold(inbound, answerData(node, segments.at(-1), query))
  }

  #readLeaf(from: IdentifiedCaller, leaf: Leaf, target: Target): Answer | Promise<Answer> {
    const { identity } = from
    if (identity === undefined) throw this.#refuseAccount(from, target)
    let hit: Hit
    try {
      hit = new Hit(leaf(target.query))
    } catch (thrown) {
      return this.#refuse(from, target, thrown)
    }
    this.#hits.add(identity, target.text, hit)
    return this.#tokens.answer(from, identity, hit)
  }

  /** Refuses a caller without an identity, and an account that the identity may not name. */
  #refuseAccount(from: IdentifiedCaller, target: Target): never {
    if (from.identity !== undefined) return this.#refuse(from, target, notFound(target.text))
    this.#strangers.tell(from.caller, target.query)
    return this.#refuse(from, target, noServiceAccount())
  }

  #refuse(from: IdentifiedCaller, target: Target, thrown: unknown): never {
    return this.#tokens.refuse(from, unread(target), this.#options.now(), thrown)
  }

  #treeOf(identity: IdentifiedCaller['identity']): Directory {
    const owner = identity ?? STRANGER
    const tree = this.#trees.get(owner) ?? createTreeData(identity, this.#options)
    this.#trees.set(owner, tree)
    return tree
  }
}

/** The root's listing has no ETag. */
function listing(tree: Directory): Answer {
  return createAnswer(200, TYPES.text, list(tree))
}

/** Absolute, by the request's own Host: Node's probe follows it, and a wrong port would break it (docs/wire.md, "Directories"). */
function redirect(host: string, { path, text }: Target): Answer {
  const location = `http://${host}${text.replace(/(?=\?|$)/, '/')}`
  return createAnswer(301, TYPES.html, `${path}/\n`, ['Location', location])
}

const MOST_TOLD = 1_000

/** What the log says of a request whose query was not read. */
function unread({ path, query }: Target): Asked {
  return path.endsWith('/token')
    ? { kind: 'access' }
    : { kind: 'id', audience: shownAudience(query.get('audience') ?? '').slice(0, MOST_TOLD) }
}

function isTokenPath(segments: readonly string[]): boolean {
  const key = segments.at(-1)
  return segments.length === 6 && segments[3] === 'service-accounts' && (key === 'token' || key === 'identity')
}

function legacyDetail(path: string): string {
  return `Legacy metadata endpoint accessed: ${path}\nLegacy metadata endpoints are disabled. Please use the /v1/ endpoint.`
}

function missing(segments: readonly string[], text: string): WireError {
  if (segments[2] !== 'instance' || segments[3] !== 'guest-attributes') return notFound(text)
  const body = 'Guest attributes endpoint access is disabled.'
  return new WireError(body, createAnswer(403, TYPES.html, body))
}
