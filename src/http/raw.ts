/** Answers on sockets that node:http leaves to us: unreadable requests, CONNECT, upgrades. */

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** How long a refused client may go on sending. */
const LINGER_MS = 200

export interface RawAnswer {
  status: number
  /** Alternating names and values, as in `rawHeaders`, with the Content-Length. */
  head: readonly string[]
  body: string
}

/**
 * Answers, then closes. What the client still sends is read until the answer has left: closing a socket with unread
 * bytes would lose the answer too.
 */
export function answerSocket(socket: Duplex, { status, head, body }: RawAnswer): void {
  if (socket.writableEnded) return
  socket.on('error', () => socket.destroy())
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
  const all = [...head, 'Connection', 'close']
  const lines = all.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${all[index + 1]}\r\n`] : []))
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
}

/** The answer that node:http is writing to the socket, or will be: its own default for `clientError` looks there too. */
interface WithAnswer {
  _httpMessage?: (ServerResponse & { req: IncomingMessage }) | null
}

/**
 * Calls `act` once all requests that came before are answered (RFC 9112 §9.3.2: answers keep their order). A request whose
 * own body is broken is not waited for; where its answer has begun, the connection ends.
 */
export function afterAnswers(socket: Duplex, act: () => void): void {
  const { _httpMessage: answer } = socket as WithAnswer
  if (socket.destroyed) return
  if (!answer) act()
  else if (answer.req.complete) {
    // With an upgrade and a CONNECT Node stops telling an answer when there is room again.
    const drain = () => answer.emit('drain')
    socket.on('drain', drain)
    answer.once('close', () => {
      socket.off('drain', drain)
      afterAnswers(socket, act)
    })
  } else if (answer.headersSent) socket.destroy()
  else act()
}
