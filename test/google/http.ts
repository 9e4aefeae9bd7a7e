import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { type Answer, JSON_TYPE, oauthError, page, Refusal } from './answers.ts'
import type { Faults } from './faults.ts'

/** One call as it was seen, without any token. */
export interface Call {
  /** Real epoch ms of its arrival. */
  at: number
  host: string
  /** Without the query. */
  path: string
  /** What was asked for: a grant, or the method's name. */
  grant?: string
  /** Who asked, once that is proved. */
  principal?: string
  audience?: string
  quotaProject?: string
  delegates?: string[]
  /** Missing while it waits, and where the connection ended without an answer. */
  status?: number
}

export interface Exchange {
  method: string
  url: URL
  headers: IncomingHttpHeaders
  body: string
  /** The record of this call, for the handler to complete. */
  call: Call
}

export type Handler = (exchange: Exchange) => Answer | Promise<Answer>

export interface Site {
  now(): number
  faults: Faults
  calls: Call[]
  /** The name under which a request is recorded, and what answers it; undefined: nobody of that name lives here. */
  find(request: IncomingMessage): { host: string; handler: Handler } | undefined
}

/** Reads the request, records it, lets faults happen, and writes what the handler answers. */
export function listener(site: Site): RequestListener {
  return (request, response) => {
    serve(site, request, response).catch(() => response.destroy())
  }
}

async function serve(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const found = site.find(request)
  const url = new URL(request.url ?? '/', 'http://fake')
  const call: Call = { at: Date.now(), host: found?.host ?? `${request.headers.host}`, path: url.pathname }
  site.calls.push(call)
  const body = await text(request)
  const effect = await site.faults.meet(call.host, call.path)
  if (effect === 'hang') return
  if (effect === 'reset') {
    request.socket.destroy()
    return
  }
  if (effect && 'raw' in effect) {
    request.socket.end(effect.raw)
    return
  }
  const exchange = { method: request.method ?? 'GET', url, headers: request.headers, body, call }
  const handle = async () => (found ? found.handler(exchange) : page(404, 'No such host here.').answer)
  const answer =
    effect && 'answer' in effect
      ? effect.answer
      : await handle().catch((thrown: unknown) => {
          if (thrown instanceof Refusal) return thrown.answer
          throw thrown
        })
  call.status = answer.status
  response.writeHead(answer.status, {
    'Content-Type': effect && 'type' in effect ? effect.type : (answer.type ?? JSON_TYPE),
    Date: new Date(site.now()).toUTCString(),
    ...answer.headers,
  })
  const { body: sent } = answer
  response.end(typeof sent === 'string' || sent instanceof Uint8Array ? sent : JSON.stringify(sent, null, 2))
}

/** The form of an OAuth request; Google wants POST and this Content-Type. */
export function form({ method, headers, body }: Exchange): URLSearchParams {
  if (method !== 'POST') throw page(405, 'The request method is inappropriate for this URL.')
  if (!/^application\/x-www-form-urlencoded\b/i.test(headers['content-type'] ?? '')) {
    throw oauthError(400, 'invalid_request', 'Bad Request')
  }
  return new URLSearchParams(body)
}

export function required(params: URLSearchParams, name: string): string {
  const value = params.get(name)
  if (!value) throw oauthError(400, 'invalid_request', `Missing required parameter: ${name}`)
  return value
}
