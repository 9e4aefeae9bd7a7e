/** What a request line asks for, read without normalising: the tree decides what a path means. */

import type { Socket } from 'node:net'
import type { Answer } from './wire.ts'

/** What a URL says. */
export interface Target {
  /** As asked, percent-encoding and all. */
  path: string
  query: URLSearchParams
  /** Decoded path segments; undefined where the encoding is broken. `a//b` is `a/b`. */
  segments: readonly string[] | undefined
  /** The authority of an absolute URL. */
  authority: string | undefined
  /** Path and query as asked. */
  text: string
}

/** A request, as far as answering it needs. */
export interface Inbound {
  target: Target
  /** The authority that the client believes it talks to. */
  host: string
  socket: Socket
}

/** A family of paths; undefined where the path is another's. */
export type Surface = (inbound: Inbound) => Answer | Promise<Answer> | undefined

/** URLs kept at the most, and the longest that is kept: 1 kB each as clients ask, and at the worst 8 MB in all. */
const KEPT = 2_000
const KEPT_LENGTH = 1_000

/**
 * A service asks for the same few URLs all day, and reading one costs as much as the rest of a cached answer that is
 * ours: each is read once, and what it means to a surface can be kept by its target. Readers change nothing in it.
 */
export function createTargets(): (url: string) => Target {
  const known = new Map<string, Target>()

  function read(url: string): Target {
    const target = readUrl(url)
    if (known.size >= KEPT) known.clear()
    if (url.length <= KEPT_LENGTH) known.set(url, target)
    return target
  }

  return (url) => known.get(url) ?? read(url)
}

function readUrl(url: string): Target {
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
  const text = absolute === null ? url : absolute[2] || '/'
  const mark = text.indexOf('?')
  const path = mark < 0 ? text : text.slice(0, mark)
  return {
    path,
    query: new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1)),
    segments: decodeSegments(path),
    authority: absolute?.[1],
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
