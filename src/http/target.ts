/** What a request line asks for, read without normalising: the tree decides what a path means. */

import type { IncomingMessage } from 'node:http'

export interface Target {
  /** As asked, percent-encoding and all. */
  path: string
  query: URLSearchParams
  /** Decoded path segments; undefined where the encoding is broken. `a//b` is `a/b`. */
  segments: readonly string[] | undefined
  /** The authority that the client believes it talks to. */
  host: string
  /** Path and query as asked. */
  text: string
}

/** Targets kept at the most, and the longest that is kept; about 2 MB in all. */
const KEPT = 1_000
const KEPT_LENGTH = 1_000

/**
 * A service asks for the same few URLs all day, and reading one costs as much as everything else that is ours in a
 * cached answer: each is read once. Readers change nothing in a target.
 */
export function createTargets(): (request: Pick<IncomingMessage, 'url' | 'headers'>) => Target {
  const targets = new Map<string, Target>()
  return ({ url = '/', headers: { host = '' } }) => {
    const key = `${host} ${url}`
    const known = targets.get(key)
    if (known !== undefined) return known
    const target = readTarget(url, host)
    if (targets.size >= KEPT) targets.clear()
    if (key.length <= KEPT_LENGTH) targets.set(key, target)
    return target
  }
}

function readTarget(url: string, host: string): Target {
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
  const text = absolute === null ? url : absolute[2] || '/'
  const mark = text.indexOf('?')
  const path = mark < 0 ? text : text.slice(0, mark)
  return {
    path,
    query: new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1)),
    segments: decodeSegments(path),
    host: absolute?.[1] ?? host,
    text,
  }
}

function decodeSegments(path: string): readonly string[] | undefined {
  const segments = path.split('/').filter((segment) => segment !== '')
  if (!path.includes('%')) return segments
  try {
    return segments.map(decodeURIComponent)
  } catch {
    return undefined
  }
}
