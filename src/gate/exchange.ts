/** One request at a gate: its path, host and address, and how it is answered with a page. */

import { type IncomingMessage, ServerResponse } from 'node:http'
import { type Duplex, finished } from 'node:stream'
import { hostName, peerAddress } from '../core/host.ts'
import { answerSocket } from '../http/raw.ts'
import { type Page, pageFor } from './pages.ts'

// A caller could otherwise fill the log. No host name is longer (RFC 1035).
const HOST_LIMIT = 255
const PATH_LIMIT = 200

/** A plain request, or an upgrade. */
export interface Exchange {
  req: IncomingMessage
  /** Where the answer goes. For an upgrade Node gives only the socket. */
  to: ServerResponse | Duplex
  /** The first bytes after the head of an upgrade; absent for a plain request. */
  head?: Buffer
}

/** The path without its query, which may hold secrets. */
export function pathOf(req: IncomingMessage): string {
  return (req.url ?? '/').replace(/[?#].*$/, '')
}

/** The path as the log has it. */
export function shownPath(req: IncomingMessage): string {
  return pathOf(req).slice(0, PATH_LIMIT)
}

/** The address that the connection comes from. */
export function addressOf(req: IncomingMessage): string {
  return peerAddress(req.socket.remoteAddress)
}

/** The host that was asked for. */
export function hostOf(req: IncomingMessage): string {
  return hostName(req.headers.host ?? '').slice(0, HOST_LIMIT)
}

/**
 * Splits a URL in the request line (RFC 9112 §3.2.2): its authority replaces the Host header, and the service gets its
 * path. A user before the host is left out: it may come with a password, and no service reads it.
 */
export function takeOrigin(req: IncomingMessage): void {
  if (req.url?.startsWith('/')) return
  const [, authority, rest] = /^https?:\/\/(?:[^/?#]*@)?([^/?#]*)(.*)$/i.exec(req.url ?? '') ?? []
  if (authority === undefined) return
  req.headers.host = authority
  req.url = `${rest?.startsWith('/') ? '' : '/'}${rest}`
}

/** Answers with the status's page, unless the caller has left. */
export function refuse({ req, to }: Exchange, status: number): void {
  if (to.destroyed) return
  const page = pageFor(status, pathOf(req))
  if (to instanceof ServerResponse) answer(req, to, page)
  else answerSocket(to, page)
}

/** Reads the request to its end first: closing a connection during an upload would lose the answer. */
function answer(req: IncomingMessage, res: ServerResponse, { status, head, body }: Page): void {
  res.writeHead(status, [...head]).write(body)
  req.unpipe()
  req.resume()
  finished(req, () => res.end())
}
