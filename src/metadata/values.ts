/** The answer to a key that is data, in the requested format, with its ETag. */

import type { Value } from '../config/trees.ts'
import { type Answer, badRequest, createAnswer, TYPES } from '../http/wire.ts'
import { isTruthy } from './leaves.ts'
import { defaultFormat, etag, isDirectory, type Leaf, list, type Node, toJson, toText, toTextLines } from './tree.ts'

/** `key`: the node's own; the root has none. Throws a WireError for parameters that do not go together (docs/wire.md, "Query parameters"). */
export function answerData(node: Exclude<Node, Leaf>, key: string | undefined, query: URLSearchParams): Answer {
  const recursive = isTruthy(query.get('recursive'))
  const format = query.get('alt')?.toLowerCase()
  if (format !== undefined && format !== 'json' && format !== 'text') throw badRequest('alt must be json or text')
  const timeout = query.get('timeout_sec')
  if (timeout !== null && !/^\d+$/.test(timeout)) throw badRequest('timeout_sec must be an integer')
  const headers = ['ETag', etag(node, recursive)]
  const asText = (body: string) => createAnswer(200, TYPES.text, body, headers)
  const asJson = (body: string) => createAnswer(200, TYPES.json, body, headers)
  if (!isDirectory(node)) {
    return (format ?? defaultFormat(key)) === 'json' ? asJson(toJson(node)) : asText(toText(node as Value))
  }
  if (recursive) return format === 'text' ? asText(toTextLines(node)) : asJson(toJson(node, key))
  if (format !== undefined) throw badRequest('alt needs recursive=true on a directory')
  if (isTruthy(query.get('wait_for_change'))) throw badRequest('wait_for_change needs recursive=true on a directory')
  return asText(list(node))
}

/** The ETag of an answer; undefined where it has none. */
export function etagOf({ head }: Answer): string | undefined {
  const at = head.indexOf('ETag')
  return at === -1 ? undefined : head[at + 1]
}
