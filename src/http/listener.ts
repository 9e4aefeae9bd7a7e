/** An HTTP listener with the limits that every surface has. */

import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { failure } from '../core/errors.ts'
import { afterAnswers, answerSocket } from './raw.ts'
import { TYPES } from './wire.ts'

/** An 8 kB audience, percent-encoded three times its size, still fits. */
const MAX_HEADER_BYTES = 32 * 1024
/** Go keeps idle connections for 60 s and may use one just as we close it (docs/wire.md, "Response headers"). */
const KEEP_ALIVE_MS = 75_000
/** While the server closes, a connection ends this soon after its last answer. */
const SWEEP_MS = 20
/** How long the answers at the end of the grace have to leave. */
const LAST_ANSWERS_MS = 100

export interface Listener {
  /** The port in use, also where a free one was asked for. */
  port: number
  /**
   * Stops accepting, tells kept connections that they end, gives requests in flight and WebSockets `graceMs`, then
   * cuts them off. `lastCall` is called before that: what can be answered then still is, unless there was no grace.
   */
  close(graceMs: number, lastCall?: () => void): Promise<void>
}

export type UpgradeListener = (req: IncomingMessage, socket: Duplex, head: Buffer) => void

export interface ListenOptions {
  host: string
  /** 0: a free one. */
  port: number
  handler: RequestListener
  /** Handles WebSocket upgrades. Absent: every upgrade offer is ignored. */
  upgrade?: UpgradeListener
  /** Makes the server, with these limits. Default: one without TLS. */
  create?: (limits: ServerOptions, handler: RequestListener) => Server | SecureServer
  /** Called with bytes that are not a request. */
  unreadable?: (bytes: Buffer) => void
  /** How long a request may take to arrive, body and all. Default: as long as Node gives it, five minutes. */
  requestMs?: number
  /** The setting to name where the address is taken. Default: `--port or --host`. */
  setting?: string
  /** How long an idle connection is kept. Default 75 s. */
  keepAliveMs?: number
  /** Alternating names and values, as in `rawHeaders`: sent with the answer to a request that cannot be read. */
  headers: readonly string[]
}

/** Listens, or throws PORT_TAKEN or ADDRESS_UNAVAILABLE. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { server, open } = createListener(options)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, options)))
    server.listen(options.port, options.host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: (graceMs, lastCall = () => {}) => close(server, open, graceMs, lastCall),
  }
}

/**
 * The open sockets, each with the answer that the handler did not begin at once, until it has left: Node's own list has
 * neither the upgraded ones nor the answers. One that was kept longer would live through a collection or two with all
 * that belongs to its request; V8 gives young objects more room for that, which cost 20 to 45 MiB under load (measured).
 */
type Connections = Map<Socket, ServerResponse | undefined>

function createListener(options: ListenOptions): { server: Server | SecureServer; open: Connections } {
  const { handler, upgrade, headers } = options
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    keepAliveTimeout: options.keepAliveMs ?? KEEP_ALIVE_MS,
    requestTimeout: options.requestMs,
  }
  const upgrades = { shouldUpgradeCallback: (req: IncomingMessage) => upgrade !== undefined && isWebSocket(req) }
  const open: Connections = new Map()
  const handle: RequestListener = (req, res) => {
    if (!server.listening) res.setHeader('Connection', 'close')
    if (hasOneHost(req)) handler(req, res)
    else {
      const { status, head, body } = severalHosts(headers)
      res.writeHead(status, [...head, 'Connection', 'close']).end(body)
    }
    if (!res.headersSent) keepUntilSent(open, req.socket, res)
  }
  const { create = createServer } = options
  const server = create({ ...limits, ...upgrades, requireHostHeader: false }, handle)
  // The size is limited above; a limit on their number drops headers unseen, X-Forwarded-For among them.
  server.maxHeadersCount = 0
  // Node would answer these itself, without our headers; the handler answers them like any other request.
  server.on('checkExpectation', handle)
  answerOthers(server, options)
  const keep = (socket: Socket) => {
    open.set(socket, undefined)
    socket.once('close', () => open.delete(socket))
  }
  // With TLS a connection is two sockets: one while it shakes hands, and the one that requests come from.
  server.on('connection', keep)
  server.on('secureConnection', keep)
  return { server, open }
}

/** What node:http leaves to us, each in its turn: upgrades, CONNECT, and what cannot be read. */
function answerOthers(server: Server | SecureServer, options: ListenOptions): void {
  const { upgrade, headers } = options
  if (upgrade !== undefined) {
    server.on('upgrade', (req, socket, head) => {
      // Nobody else listens to such a socket now: a client that goes away while it waits must not end the process.
      socket.on('error', () => socket.destroy())
      afterAnswers(socket, () => {
        if (hasOneHost(req)) upgrade(req, socket, head)
        else answerSocket(socket, severalHosts(headers))
      })
    })
  }
  server.on('connect', (_, socket: Duplex) => {
    socket.on('error', () => socket.destroy())
    afterAnswers(socket, () => answerSocket(socket, refusal(405, headers)))
  })
  const unreadable = new WeakSet<Duplex>()
  server.on('clientError', ({ code, rawPacket }: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket) => {
    // Node tells of what came behind a `Connection: close`, to which there is no answer, and of all that follows.
    if (code === 'HPE_CLOSED_CONNECTION' || unreadable.has(socket)) return
    unreadable.add(socket)
    if (rawPacket !== undefined) options.unreadable?.(rawPacket)
    afterAnswers(socket, () => answerSocket(socket, refusal(statusFor(code), headers)))
  })
}

function keepUntilSent(open: Connections, socket: Socket, res: ServerResponse): void {
  open.set(socket, res)
  res.on('close', () => {
    if (open.get(socket) === res) open.set(socket, undefined)
  })
}

/** An offer may be ignored (RFC 9110 §7.8). One with a body is: after 101 nobody knows where the body ends. */
function isWebSocket({ method, headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket' && !hasBody
}

function cannotListen(
  error: NodeJS.ErrnoException,
  { host, port, setting = '--port or --host' }: ListenOptions,
): Error {
  const address = `${host}:${port}`
  return error.code === 'EADDRINUSE'
    ? failure('PORT_TAKEN', { address, setting }, { cause: error })
    : failure('ADDRESS_UNAVAILABLE', { address, reason: error.code ?? error.message, setting }, { cause: error })
}

/**
 * Connections without a request in flight end at once, since clients keep them open for the next request. Node counts a
 * connection that has asked nothing yet as busy, so those are ended here. Which others are idle Node knows, and is asked
 * every few milliseconds: a listener on each answer would cost two percent of a cached one (measured).
 */
async function close(
  server: Server | SecureServer,
  open: Connections,
  graceMs: number,
  lastCall: () => void,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const cutOff = () => {
    for (const socket of open.keys()) socket.destroy()
  }
  if (graceMs <= 0) {
    // Without a timer: a test suite may have replaced them.
    lastCall()
    cutOff()
    return closed
  }
  for (const [socket, response] of open) {
    if (socket.bytesRead === 0) socket.destroy()
    if (response?.headersSent === false) response.setHeader('Connection', 'close')
  }
  const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS)
  const timers = [setTimeout(lastCall, graceMs), setTimeout(cutOff, graceMs + LAST_ANSWERS_MS)]
  await closed
  clearInterval(sweep)
  for (const timer of timers) clearTimeout(timer)
}

/** Answers where there is no request that the handler could answer. */
const REFUSALS = {
  400: 'the request cannot be read. Fix: percent-encode its URL, and look at its headers',
  405: 'CONNECT is for proxies, and this is not a proxy. Fix: add this host to NO_PROXY',
  408: 'the request did not arrive in time. Fix: send it at once',
  431: `the request has more than ${MAX_HEADER_BYTES / 1024} kB of URL and headers. Fix: send less`,
} as const

function statusFor(code: string | undefined): keyof typeof REFUSALS {
  return code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
}

/** `headers` as in ListenOptions. */
function refusal(status: keyof typeof REFUSALS, headers: readonly string[], sentence: string = REFUSALS[status]) {
  const body = `${sentence}\n`
  return { status, head: [...headers, 'Content-Type', TYPES.html, 'Content-Length', String(body.length)], body }
}

/** RFC 9112 §3.2 wants 400: the guard checks one of the two hosts, and the service might believe the other. */
function severalHosts(headers: readonly string[]) {
  return refusal(400, headers, 'the request has several Host headers. Fix: send one')
}

function hasOneHost({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  return hosts < 2
}
