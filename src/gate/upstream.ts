/** The service behind a gate: everything is streamed to it and back, by httpxy. */

import http, { type IncomingMessage, ServerResponse } from 'node:http'
import https from 'node:https'
import { isIP, type Socket } from 'node:net'
import { createProxyServer, type ProxyServer } from 'httpxy'
import { type Exchange, refuse } from './exchange.ts'
import { prepareForCaller } from './headers.ts'

/**
 * How long an idle connection to the upstream is kept, in ms. Shorter than any common server's own limit, of which
 * gunicorn's 2 s is the shortest: a request that is sent while the server closes the connection would be lost.
 */
const IDLE_MS = 1_000
/** Node's own limit is 16 kB; services with many cookies and policies answer more. */
const MAX_HEAD_BYTES = 64 * 1024

/**
 * Calls `answered` once the head of an answer is on its way: with the service's status, with 502 where it failed, with
 * undefined where the caller left before.
 */
export type Forward = (exchange: Exchange, answered: (status: number | undefined) => void) => void

const STATE = Symbol('state')

/**
 * An exchange's state is a property of its sink. In a Map or a WeakMap, from which each call is removed again, V8 let
 * nearly all that belongs to a call live until the next full collection (measured with Node.js 24).
 */
type Sink = Exchange['to'] & { [STATE]?: State }

/** Calls `tell` with one line that says why an answer was broken off after its head, whether that has happened already or not. */
export function whenCut({ [STATE]: state }: Sink, tell: (reason: string) => void): void {
  if (state === undefined) return
  if (state.cut === undefined) state.tell = tell
  else tell(state.cut)
}

/** Calls `failed` with one line that says why a request was answered with 502. */
export function createUpstream(url: string, failed: (reason: string) => void): Forward {
  const { target, agent, options } = connectionTo(new URL(url))
  const proxy = createProxyServer({ target, selfHandleResponse: true })
  const open = createOpen(failed)
  watchService(proxy, open)

  return ({ req, to, head }, answered) => {
    if (to.destroyed) return answered(undefined)
    open.add(to, answered)
    if (head) Object.assign(req.headers, { connection: 'Upgrade', upgrade: 'websocket' })
    const own = { agent, ssl: { ...options } }
    const done = to instanceof ServerResponse ? proxy.web(req, to, own) : proxy.ws(req, to as Socket, own, head)
    // The 'error' event has reported each failure already.
    done.catch(() => {})
  }
}

/** The exchanges whose callers are there. */
interface Open {
  add(to: Sink, answered: (status: number | undefined) => void): void
  /** Whether all of the service's answer has come. */
  isWhole(to: Sink): boolean
  answeredBy(to: Sink, service: IncomingMessage): void
  /** The status that was written; undefined where the caller left before. */
  settle(to: Sink, status: number | undefined): void
  /** Answers 502 where no head was written yet; else breaks the answer off. */
  fail(req: IncomingMessage, to: Sink, error: NodeJS.ErrnoException): void
}

interface State {
  answered: (status: number | undefined) => void
  /** Whether no head was written yet. */
  waits: boolean
  refused: boolean
  service?: IncomingMessage
  /** Why the answer was broken off, and who wants to know it. */
  cut?: string
  tell?: (reason: string) => void
}

function createOpen(failed: (reason: string) => void): Open {
  function settle({ [STATE]: state }: Sink, status: number | undefined): void {
    if (!state?.waits) return
    state.waits = false
    state.answered(status)
  }

  function closed(this: Sink): void {
    settle(this, undefined)
  }

  return {
    add(to, answered) {
      to[STATE] = { answered, waits: true, refused: false }
      to.on('close', closed)
    },
    isWhole: (to) => to[STATE]?.service?.complete === true,
    answeredBy(to, service) {
      const { [STATE]: state } = to
      if (state !== undefined) state.service = service
    },
    settle,
    fail(req, to, { code, message }) {
      const { [STATE]: state } = to
      if (state === undefined || to.destroyed || state.refused) return
      const reason = code ?? message
      if (!state.waits) {
        if (!hasEnded(to)) {
          state.cut = reason
          state.tell?.(reason)
        }
        return void to.destroy()
      }
      failed(reason)
      state.refused = true
      refuse({ req, to }, 502)
      settle(to, 502)
    },
  }
}

/** Whether the caller has ended its side of a WebSocket: services then often reset it, and nobody misses an answer. */
const hasEnded = (to: Sink) => !(to instanceof ServerResponse) && to.readableEnded

function watchService(proxy: ProxyServer, { settle, fail, isWhole, answeredBy }: Open): void {
  proxy.on('error', (error, req, to) => {
    // After a whole answer may come a body (to HEAD, with 204 or 304) or a hangup on the rest of an upload.
    if (req && to && !isWhole(to as Sink)) fail(req, to as Sink, error)
  })
  proxy.on('proxyReq', (call, req, res) => {
    // httpxy puts a slash before an asterisk, which is not a path (RFC 9112 §3.2.4).
    if (req.url === '*') call.path = '*'
    call.on('upgrade', (_, socket) => {
      socket.destroy()
      fail(req, res, new Error('it switched protocols though nobody asked'))
    })
  })
  proxy.on('proxyRes', (service, req, res) => {
    service.on('error', (error) => fail(req, res, error))
    answeredBy(res, service)
    try {
      relay(service, res)
    } catch (error) {
      fail(req, res, error as Error)
      return void service.resume()
    }
    settle(res, service.statusCode)
  })
  proxy.on('proxyReqWs', (call, req, socket) => {
    call.on('upgrade', (_, service) => {
      settle(socket, 101)
      // httpxy only ends its side, and the service may never end its own.
      socket.once('close', () => service.destroy())
    })
    call.on('response', (service) => {
      try {
        checkStatus(service)
        settle(socket, service.statusCode)
      } catch (error) {
        fail(req, socket, error as Error)
      }
    })
  })
}

/** How to reach a service; `options` are for node:http, to which httpxy gives its `ssl` as it is. */
function connectionTo({ protocol, hostname, port, pathname }: URL) {
  const secure = protocol === 'https:'
  const { Agent } = secure ? https : http
  const host = hostname.replace(/^\[|\]$/g, '')
  return {
    target: { protocol, host, hostname: host, port: port || (secure ? 443 : 80), pathname },
    // httpxy's own agent has at most 256 connections: as many event streams would block all further requests.
    agent: new Agent({ keepAlive: true, timeout: IDLE_MS }),
    // Node would make a name of the caller's Host, and compare the certificate with that.
    options: { maxHeaderSize: MAX_HEAD_BYTES, servername: secure && isIP(host) === 0 ? host : '' },
  }
}

function relay(service: IncomingMessage, res: ServerResponse): void {
  checkStatus(service)
  const { statusCode = 0, statusMessage, headers } = service
  res.writeHead(statusCode, statusMessage || undefined, prepareForCaller(headers))
  // The head goes together with a body that is there; a stream that sends nothing yet gets its head all the same.
  setImmediate(() => res.flushHeaders())
  service.pipe(res)
}

/** Throws for an answer that Node can read but not write (docs/gate.md, "Node.js and the proxy library"), for an upgrade without an offer, and for a body that would arrive garbled. */
function checkStatus({ statusCode = 0, statusMessage = '', headers }: IncomingMessage): void {
  if (statusCode < 200) throw new Error(`it answered with the status ${statusCode}`)
  if (/[^\t\x20-\x7e\x80-\xff]/.test(statusMessage)) throw new Error('the reason beside its status is not text')
  const coding = headers['transfer-encoding'] ?? 'chunked'
  if (coding.toLowerCase() !== 'chunked') throw new Error(`it answered in the transfer coding ${coding}`)
}
