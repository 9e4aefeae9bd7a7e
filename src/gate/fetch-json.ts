/** Fetches a document of an issuer, bounded in time, size and steps. */

import http, { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'
import { SidemintError } from '../core/errors.ts'
import { createAgent, ProxyError } from '../http/agent.ts'
import { proxyFor } from '../http/proxy.ts'

const TIMEOUT_MS = 5_000
const BODY_LIMIT = 1_000_000
const MOST_REDIRECTS = 3
const HEADERS: OutgoingHttpHeaders = { Accept: 'application/json', Connection: 'close' }

export interface Document {
  body: object
  cacheControl: string | undefined
}

/**
 * The JSON object at a URL. Redirects are followed only within its origin: another host is not the issuer. Throws an
 * Error that says what is wrong in one line.
 *
 * The proxy variables count for https only: an issuer on plain http is on the same network.
 */
export async function fetchJson(url: string): Promise<Document> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const done = new AbortController()
  const signal = AbortSignal.any([timeout, done.signal])
  try {
    const proxy = url.startsWith('https:') ? proxyFor(url) : undefined
    const agent = createAgent(url, proxy, signal)
    const response = await follow(new URL(url), { agent, signal })
    if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}`)
    const body: unknown = JSON.parse(await read(response, url))
    if (typeof body !== 'object' || body === null) throw new Error(`${url} did not answer a JSON object`)
    return { body, cacheControl: response.headers['cache-control'] }
  } catch (error) {
    if (timeout.aborted) throw new Error(`${url} did not answer within ${TIMEOUT_MS / 1000} s`)
    throw error instanceof Error ? inOneLine(url, error) : new Error(`${url}: ${String(error)}`)
  } finally {
    done.abort()
  }
}

async function follow(url: URL, options: http.RequestOptions): Promise<IncomingMessage> {
  let at = url
  for (let steps = 0; steps <= MOST_REDIRECTS; steps += 1) {
    const response = await get(at, options)
    const { statusCode, headers } = response
    if (!/^3/.test(String(statusCode)) || headers.location === undefined) return response
    response.destroy()
    const next = URL.parse(headers.location, at.href)
    if (next?.origin !== at.origin) throw new Error(`${url.href} redirects to another host`)
    at = next
  }
  throw new Error(`${url.href} redirects more than ${MOST_REDIRECTS} times`)
}

function get(url: URL, options: http.RequestOptions): Promise<IncomingMessage> {
  const { request } = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const call = request(url, { ...options, headers: HEADERS })
    call.on('response', resolve).on('error', reject).end()
    call.on('upgrade', (_, socket) => {
      socket.destroy()
      reject(new Error(`${url.href} switched protocols`))
    })
  })
}

async function read(response: IncomingMessage, url: string): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > BODY_LIMIT) throw new Error(`${url} answered more than ${BODY_LIMIT} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function inOneLine(url: string, error: NodeJS.ErrnoException): Error {
  if (error instanceof SyntaxError || error instanceof RangeError) return new Error(`${url} did not answer JSON`)
  if (error instanceof ProxyError || error instanceof SidemintError) return new Error(`${url}: ${error.message}`)
  return error.code === undefined ? error : new Error(`${url}: ${error.code}`)
}
