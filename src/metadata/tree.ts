/**
 * The metadata tree as plain data, in Google's own key names. Listing, recursion, formats and look-up are written once,
 * here (docs/wire.md, "Directories" and "Recursion and formats"); the data is made in keys.ts. Knows no HTTP.
 */

import { createHash } from 'node:crypto'
import type { Overlay, Value } from '../config/trees.ts'
import type { Token, TokenRequest } from '../core/token.ts'
import type { Answer } from '../http/wire.ts'

/** The token that a query asks for, and how it is written into the answer. */
export interface Question {
  request: TokenRequest
  /** Whether the answer says how long the token is still valid. */
  showsLife: boolean
  answer(token: Token, secondsLeft: number): Answer
}

/** A key whose value is a token; it reads the query. Recursion leaves it out. */
export type Leaf = (query: URLSearchParams) => Question
export type Node = Value | Leaf | Directory | readonly Directory[]
export interface Directory {
  readonly [key: string]: Node
}

/** Lists that are JSON unless text is asked for; other lists have one element a line. */
const JSON_LISTS = new Set<string | undefined>(['tags'])
/** Directories whose children are named by people: recursion keeps those names. */
const VERBATIM = new Set<string | undefined>([
  'attributes',
  'guest-attributes',
  'partner-attributes',
  'service-accounts',
])

export function isDirectory(node: Node): node is Directory | readonly Directory[] {
  if (Array.isArray(node)) return node.some((child) => typeof child === 'object')
  return typeof node === 'object'
}

/** The node under these path segments, or undefined. Only own keys count, so `__proto__` is not found. */
export function resolve(root: Directory, segments: readonly string[]): Node | undefined {
  let node: Node | undefined = root
  for (const segment of segments) {
    if (node === undefined || !isDirectory(node)) return undefined
    if (Array.isArray(node) && !/^\d+$/.test(segment)) return undefined
    node = Object.hasOwn(node, segment) ? (node as Directory)[segment] : undefined
  }
  return node
}

/** The children of a directory in byte order, one a line, directories with a slash. */
export function list(directory: Directory | readonly Directory[]): string {
  return entries(directory)
    .map(([key, child]) => `${key}${isDirectory(child) ? '/' : ''}\n`)
    .join('')
}

/** The value as text: a list has one element a line, everything else no newline. */
export function toText(value: Value): string {
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE'
  if (typeof value === 'object') return value.map((element) => `${element}\n`).join('')
  return String(value)
}

/** Compact JSON with camelCase keys; numbers are written as they are, whatever their size. `key` is the node's own. */
export function toJson(node: Node, key?: string): string {
  if (typeof node === 'number' || typeof node === 'bigint') return String(node)
  if (typeof node === 'boolean') return JSON.stringify(toText(node))
  if (typeof node === 'string') return JSON.stringify(node)
  if (Array.isArray(node)) return `[${node.map((element: Node) => toJson(element)).join(',')}]`
  const members = entries(node as Directory)
    .filter(([, child]) => typeof child !== 'function')
    .map(([name, child]) => `${JSON.stringify(VERBATIM.has(key) ? name : camelCase(name))}:${toJson(child, name)}`)
  return `{${members.join(',')}}`
}

/** One line a value: its path, a space, the value; a list repeats its path for each element. */
export function toTextLines(node: Node, path = ''): string {
  if (typeof node === 'function') return ''
  if (isDirectory(node)) {
    return entries(node)
      .map(([key, child]) => toTextLines(child, path === '' ? key : `${path}/${key}`))
      .join('')
  }
  if (typeof node === 'object') return (node as readonly string[]).map((element) => `${path} ${element}\n`).join('')
  return `${path} ${toText(node)}\n`
}

/** The format of a value where none is asked for. */
export function defaultFormat(key: string | undefined): 'json' | 'text' {
  return JSON_LISTS.has(key) ? 'json' : 'text'
}

/** 16 lower-case hex digits, the same for JSON and text, others for recursive answers (docs/wire.md, "ETag and waiting"). */
export function etag(node: Node, recursive: boolean): string {
  return createHash('sha256')
    .update(`${recursive} ${toJson(node)}`)
    .digest('hex')
    .slice(0, 16)
}

/** The tree with the user's data over it. Lists are replaced as a whole. */
export function overlay(base: Directory, over: Overlay): Directory {
  const merged = new Map<string, Node>(Object.entries(base))
  for (const [key, value] of Object.entries(over)) {
    if (value === null) merged.delete(key)
    else merged.set(key, overlaid(merged.get(key), value))
  }
  return Object.fromEntries(merged)
}

function overlaid(base: Node | undefined, value: NonNullable<Overlay[string]>): Node {
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) {
    return value.map((element) => (typeof element === 'object' ? overlay({}, element) : element)) as Node
  }
  const under = base !== undefined && isDirectory(base) && !Array.isArray(base) ? (base as Directory) : {}
  return overlay(under, value as Overlay)
}

function entries(directory: Directory | readonly Directory[]): (readonly [string, Node])[] {
  if (Array.isArray(directory)) return Object.entries(directory)
  const byName = directory as Directory
  return Object.keys(byName)
    .sort()
    .map((key) => [key, byName[key] as Node])
}

function camelCase(key: string): string {
  return key.replace(/-([a-z0-9])/g, (_, character: string) => character.toUpperCase())
}
