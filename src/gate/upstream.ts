/** The service behind a gate: everything is streamed to it and back, by httpxy. */

import http, { type IncomingMessage, ServerResponse } from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { createProxyServer } from 'httpxy'
import { answer, answerSocket, pathOf } from './exchange.ts'
import { pageFor } from './pages.ts'

/**
 * How long an unused connection to the upstream is kept, in ms. Shorter than any common server's own limit (gunicorn's
 * 2 s is the least): a request sent while the server closes the connection would be lost.
 */
const IDLE_MS = 1_000

export interface Upstream {
  request(req: IncomingMessage, res: ServerResponse): void
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void
}

/** `failed` hears in one line why a request was answered 502 or broken off. */
export function createUpstream(url: string, failed: (reason: string) => void): Upstream {
  const target = new URL(url)
  const { Agent } = target.protocol === 'https:' ? https : http
  // httpxy's own agent has at most 256 connections: so many event streams would block every further request.
  const agent = new Agent({ keepAlive: true, timeout: IDLE_MS })
  const proxy = createProxyServer({ target })

  proxy.on('error', (error, req, res) => {
    if (!req || !res || res.destroyed) return
    failed((error as NodeJS.ErrnoException).code ?? error.message)
    const page = pageFor(502, pathOf(req))
    if (!(res instanceof ServerResponse)) return answerSocket(res, page)
    if (res.headersSent) return void res.destroy()
    answer(req, res, page)
  })

  // Each failure has come by the 'error' event; the promise says it once more.
  const ignore = () => {}
  return {
    request(req, res) {
      proxy.web(req, res, { agent }).catch(ignore)
    },
    upgrade(req, socket, head) {
      proxy.ws(req, socket as Parameters<typeof proxy.ws>[1], {}, head).catch(ignore)
    },
  }
}
