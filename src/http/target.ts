/** What a request line asks for, read once and without normalising: the tree decides what a path means. */

import type { IncomingMessage } from 'node:http'

export interface Target {
  /** Path and query as they came, byte for byte, for a Location. */
  raw: string
  /** As asked, percent-encoding and all. */
  path: string
  /** Without the question mark; empty where there is none. */
  query: string
  /** Decoded path segments; undefined where the encoding is broken. `a//b` is `a/b`. */
  segments: readonly string[] | undefined
  /** The authority that the client believes it talks to. */
  host: string
  /** Path and query, for people. */
  text: string
}

export function readTarget(request: IncomingMessage): Target {
  const url = request.url ?? '/'
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
  const raw = absolute === null ? url : absolute[2] || '/'
  const text = decodeUtf8(raw)
  const mark = text.indexOf('?')
  const path = mark < 0 ? text : text.slice(0, mark)
  return {
    raw,
    path,
    query: mark < 0 ? '' : text.slice(mark + 1),
    segments: decodeSegments(path),
    host: absolute?.[1] ?? request.headers.host ?? '',
    text,
  }
}

/** Clients that do not encode send UTF-8 bytes, which node:http hands over one character a byte. */
function decodeUtf8(url: string): string {
  return /[\x80-\xff]/.test(url) ? Buffer.from(url, 'latin1').toString('utf8') : url
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
