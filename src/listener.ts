/** An HTTP listener with the limits that every surface has. */

import type { RequestListener, Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { failure } from './errors.ts'

/** The ESM face of node:http loads undici with it, 13 MB and 25 ms; this way it stays unloaded. */
const { createServer, STATUS_CODES } = process.getBuiltinModule('node:http')

/** An 8 kB audience, percent-encoded three times its size, still fits. */
const MAX_HEADER_BYTES = 32 * 1024
/** Go keeps idle connections for 60 s, and reuses one that we close at the same moment. */
const KEEP_ALIVE_MS = 75_000

export interface Listener {
  /** The port in use, also where a free one was asked for. */
  port: number
  server: Server
  /** Stops accepting, gives requests in flight `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>
}

export interface ListenOptions {
  host: string
  /** 0: a free one. */
  port: number
  handler: RequestListener
  /** Name and value by turns: sent with the answer to a request that cannot be read. */
  headers: readonly string[]
}

/** Listens, or throws PORT_TAKEN or ADDRESS_UNAVAILABLE. */
export async function listen({ host, port, handler, headers }: ListenOptions): Promise<Listener> {
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: KEEP_ALIVE_MS }, handler)
  // The size is limited above; a limit on their number drops headers unseen, X-Forwarded-For among them.
  server.maxHeadersCount = 0
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseUnreadable(error, socket as Socket, headers))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, host, port)))
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    server,
    close: (graceMs) => close(server, graceMs),
  }
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const address = `${host}:${port}`
  return error.code === 'EADDRINUSE'
    ? failure('PORT_TAKEN', { address }, { cause: error })
    : failure('ADDRESS_UNAVAILABLE', { address, reason: error.code ?? error.message }, { cause: error })
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const timer = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearTimeout(timer)
}

function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket, headers: readonly string[]): void {
  if (!socket.writable || socket.destroyed) return void socket.destroy()
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  const lines = headers.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${headers[index + 1]}`] : []))
  const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, 'Content-Length: 0', 'Connection: close']
  socket.end(`${head.join('\r\n')}\r\n\r\n`)
}
