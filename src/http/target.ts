/** What a request line asks for, read once and without normalising: the tree decides what a path means. */

import type { IncomingMessage } from 'node:http'

export interface Target {
  /** As asked, percent-encoding and all. */
  path: string
  /** Without the question mark; empty where there is none. */
  query: string
  /** Decoded path segments; undefined where the encoding is broken. `a//b` is `a/b`. */
  segments: readonly string[] | undefined
  /** The authority that the client believes it talks to. */
  host: string
  /** Path and query as asked. */
  text: string
}

export function readTarget(request: IncomingMessage): Target {
  const url = request.url ?? '/'
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
  const text = absolute === null ? url : absolute[2] || '/'
  const mark = text.indexOf('?')
  const path = mark < 0 ? text : text.slice(0, mark)
  return {
    path,
    query: mark < 0 ? '' : text.slice(mark + 1),
    segments: decodeSegments(path),
    host: absolute?.[1] ?? request.headers.host ?? '',
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
