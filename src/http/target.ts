/** What a request line asks for, without normalising it: the tree decides what a path means. */

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Answer } from './wire.ts'

/** What answering a request needs of it. */
export interface Inbound {
  target: Target
  /** Host and port as the client named them. */
  host: string
  socket: Socket
}

export function readInbound({ url = '/', headers, socket }: IncomingMessage): Inbound {
  const target = new Target(url)
  return { target, host: target.authority ?? headers.host ?? '', socket }
}

export function isRead(method: string | undefined): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Answers the paths of one subject; undefined for any other path. */
export type Surface = (inbound: Inbound) => Answer | Promise<Answer> | undefined

const METADATA = 'computeMetadata'

/**
 * A request target. Its path is split and its query parsed only on demand: a cached answer needs neither, and parsing
 * one costs as much as everything else we do for such an answer.
 */
export class Target {
  /** Path and query as sent, still percent-encoded. */
  readonly text: string
  /** The authority of an absolute URL. */
  readonly authority: string | undefined
  #path: string | undefined
  #segments: readonly string[] | undefined
  #query: URLSearchParams | undefined

  constructor(url: string) {
    const absolute = url.startsWith('/') ? null : /^https?:\/\/([^/?#]*)(.*)$/i.exec(url)
    this.text = absolute === null ? url : absolute[2]?.replace(/^(?!\/)/, '/') || '/'
    this.authority = absolute?.[1]
  }

  /** Whether it names a path: neither the authority of CONNECT nor the asterisk of OPTIONS nor another scheme's URL. */
  get isPath(): boolean {
    return this.text.startsWith('/')
  }

  /** Google's own paths. */
  get isMetadata(): boolean {
    return this.text.startsWith(`/${METADATA}/`) || this.segments?.[0] === METADATA
  }

  get path(): string {
    if (this.#path === undefined) {
      const mark = this.text.indexOf('?')
      this.#path = mark < 0 ? this.text : this.text.slice(0, mark)
    }
    return this.#path
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.text.slice(this.path.length + 1))
    return this.#query
  }

  /** Decoded path segments; undefined where the encoding is broken. `a//b` is `a/b`. */
  get segments(): readonly string[] | undefined {
    this.#segments ??= decodeSegments(this.path)
    return this.#segments
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
