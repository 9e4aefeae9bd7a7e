/** One request at a gate: what is read off it, and how it is answered with a page. */

import { type IncomingMessage, ServerResponse } from 'node:http'
import { type Duplex, finished } from 'node:stream'
import { hostName, peerAddress } from '../core/host.ts'
import { answerSocket } from '../http/raw.ts'
import { type Page, pageFor } from './pages.ts'

/** No name is longer (RFC 1035), and what a caller sends goes into the log. */
const HOST_LIMIT = 255

/** A plain request, or an upgrade. */
export interface Exchange {
  req: IncomingMessage
  /** Where the answer goes: of an upgrade Node leaves only the socket. */
  to: ServerResponse | Duplex
  /** Of an upgrade what came with its head; absent of a plain request. */
  head?: Buffer
}

/** The path without its query, which may hold secrets. */
export function pathOf(req: IncomingMessage): string {
  return (req.url ?? '/').replace(/[?#].*$/, '')
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
 * Takes a URL in the request line apart (RFC 9112 §3.2.2): its authority counts and not the Host header, and a service
 * expects a path.
 */
export function takeOrigin(req: IncomingMessage): void {
  const [, authority, rest] = /^https?:\/\/([^/?#]*)(.*)$/i.exec(req.url ?? '') ?? []
  if (authority === undefined) return
  req.headers.host = authority
  req.url = `${rest?.startsWith('/') ? '' : '/'}${rest}`
}

/** Answers with the page of a status, unless the caller has left. */
export function refuse({ req, to }: Exchange, status: number): void {
  if (to.destroyed) return
  const page = pageFor(status, pathOf(req))
  if (to instanceof ServerResponse) answer(req, to, page)
  else answerSocket(to, page)
}

/** Ends when the request has ended: a connection closed under an upload would take the answer with it. */
function answer(req: IncomingMessage, res: ServerResponse, { status, head, body }: Page): void {
  res.writeHead(status, [...head]).write(body)
  req.unpipe()
  req.resume()
  finished(req, () => res.end())
}
