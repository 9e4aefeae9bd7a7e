/** What a request line asks for, read without normalising: the tree decides what a path means. */

import type { Socket } from 'node:net'
import type { Answer } from './wire.ts'

/** A request, as far as answering it needs. */
export interface Inbound {
  target: Target
  /** The authority that the client believes it talks to. */
  host: string
  socket: Socket
}

/** A family of paths; undefined where the path is another's. */
export type Surface = (inbound: Inbound) => Answer | Promise<Answer> | undefined

const METADATA = 'computeMetadata'

/**
 * A request target. Its path is split and its query read only when somebody asks: for a cached answer nobody does, and
 * reading them costs as much as everything else that we do for one.
 */
export class Target {
  /** Path and query as asked, percent-encoding and all. */
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
