/** What a gate needs below Node's own answers: the path of a request, its caller, and an answer on a bare socket. */

import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Page } from '../gate/pages.ts'

/** The path without its query, which may hold secrets. */
export function pathOf(req: IncomingMessage): string {
  return (req.url ?? '/').replace(/[?#].*$/, '')
}

/** The address that the connection comes from; IPv4 as such where the socket has it mapped into IPv6. */
export function addressOf(req: IncomingMessage): string {
  return (req.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
}

/** The host that was asked for: without port and final dot, in lower case. */
export function hostOf(req: IncomingMessage): string {
  return (req.headers.host ?? '').replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase()
}

/** Answers an upgrade with a page: Node leaves only the socket. */
export function answerSocket(socket: Duplex, { status, headers, body }: Page): void {
  const head = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head.join('')}\r\n${body}`)
}
