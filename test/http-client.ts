/** HTTP as tests want it: nothing normalised, nothing followed, every header seen. */

import { once } from 'node:events'
import { type Agent, type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { createRemoteJWKSet } from 'jose'
import { lookThroughAnswer } from './leaks.ts'

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

export const FLAVOR = { 'Metadata-Flavor': 'Google' }
export const V1 = '/computeMetadata/v1'
export const DEFAULT_ACCOUNT = `${V1}/instance/service-accounts/default`

export interface AskOptions {
  method?: string
  /** Default: the flavor header. */
  headers?: Record<string, string>
  /** Ends the wait for the answer. */
  signal?: AbortSignal
  /** Keeps connections. Default: each request has its own. */
  agent?: Agent
}

/** `target` goes into the request line as it is. */
export async function ask(url: string, target: string, options: AskOptions = {}): Promise<Reply> {
  const { hostname, port } = new URL(url)
  const { method = 'GET', headers = FLAVOR, signal, agent = false } = options
  const host = hostname.replace(/[[\]]/g, '')
  const asked = request({ hostname: host, port, path: target, method, headers, agent, signal })
  asked.end()
  const [response] = await once(asked, 'response')
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  lookThroughAnswer(target, body)
  return { status: response.statusCode, headers: response.headers, body }
}

/** A server that says nothing for so long says nothing. */
const SILENCE_MS = 20_000

/** Sends bytes over a socket and returns what came back until the server closed it, or it holds `enough`. */
export async function sendRaw(url: string, bytes: string | Buffer, enough?: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  let received = ''
  socket.setEncoding('utf8').on('data', (chunk) => {
    received += chunk
    if (enough !== undefined && received.includes(enough)) socket.destroy()
  })
  socket.on('error', () => {})
  socket.setTimeout(SILENCE_MS, () => socket.destroy())
  socket.write(bytes)
  await new Promise((resolve) => socket.on('close', resolve))
  return received
}

/** An answer that came over a socket, taken apart. */
export function parseReply(received: string): Reply {
  const end = received.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = received.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { status: Number(statusLine.split(' ')[1]), headers, body: received.slice(end + 4) }
}

/** The keys there, as a receiver with jose fetches them; the five seconds that it waits by itself are short on a busy machine. */
export function remoteKeys(url: string) {
  return createRemoteJWKSet(new URL(url), { timeoutDuration: 60_000 })
}
