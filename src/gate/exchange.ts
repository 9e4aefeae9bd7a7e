/** What a gate reads off a request itself, and how it answers with a page. */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { type Duplex, finished } from 'node:stream'
import { hostName, peerAddress } from '../core/host.ts'
import type { Page } from './pages.ts'

/** No name is longer (RFC 1035), and what a caller sends goes into the log. */
const HOST_LIMIT = 255

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
 * Answers with a page at once, and ends when the request has ended: a connection closed under an upload would take
 * the answer with it.
 */
export function answer(req: IncomingMessage, res: ServerResponse, { status, headers, body }: Page): void {
  res.writeHead(status, headers).write(body)
  req.unpipe()
  req.resume()
  finished(req, () => res.end())
}

/** Answers an upgrade with a page: Node leaves only the socket. */
export function answerSocket(socket: Duplex, { status, headers, body }: Page): void {
  const head = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${body}`)
}
