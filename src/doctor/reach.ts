/** One connection to a host as Google's library makes it, step by step, so that the step that fails can be named. */

import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

export type Step = 'name' | 'proxy' | 'connection' | 'TLS' | 'answer'

/** What failed: the step, and Node.js' code for it or the proxy's status. */
export interface Obstacle {
  step: Step
  reason: string
}

export interface Reached {
  /** The proxy's variable and address, without a password. */
  proxy: string | undefined
  /** Undefined where the host answered. */
  obstacle?: Obstacle
  /** How far Google's clock is ahead of ours, to the second. */
  aheadMs?: number
}

interface Proxy {
  variable: string
  url: URL | undefined
}

const VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy']

/** Never throws, and takes no longer than `timeoutMs`. Names only the proxy's address, which may hold a password. */
export async function reach(host: string, env: NodeJS.ProcessEnv, timeoutMs: number): Promise<Reached> {
  const proxy = proxyFor(host, env)
  const named = proxy && `${proxy.variable} (${proxy.url?.host ?? 'not a URL'})`
  const signal = AbortSignal.timeout(timeoutMs)
  let step: Step = proxy === undefined ? 'name' : 'proxy'
  try {
    if (proxy !== undefined && proxy.url === undefined) throw coded('not a URL')
    const socket =
      proxy?.url === undefined ? await open(host, signal, connected) : await tunnel(proxy.url, host, signal)
    step = 'TLS'
    const secure = await encrypt(socket, host, signal)
    step = 'answer'
    const sentAtMs = Date.now()
    const { headers } = await ask(secure, host, signal)
    const dateMs = Date.parse(headers.date ?? '')
    const middleMs = (sentAtMs + Date.now()) / 2
    // A Date header is cut to the second.
    return { proxy: named, ...(Number.isNaN(dateMs) ? {} : { aheadMs: dateMs + 500 - middleMs }) }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const reason = signal.aborted ? 'no answer in time' : (code ?? message)
    return { proxy: named, obstacle: { step, reason } }
  }

  function connected(): void {
    step = 'connection'
  }
}

/** As gaxios chooses: the first variable that is set, NO_PROXY by exact name and by suffix alone. */
function proxyFor(host: string, env: NodeJS.ProcessEnv): Proxy | undefined {
  const variable = VARIABLES.find((name) => env[name])
  if (variable === undefined) return undefined
  const spared = (env.NO_PROXY ?? env.no_proxy ?? '').split(',').map((rule) => rule.trim())
  const isSpared = spared.some((rule) =>
    /^\*?\./.test(rule)
      ? host.endsWith(rule.replace('*', ''))
      : [host, `https://${host}`, `https://${host}/`].includes(rule),
  )
  return isSpared ? undefined : { variable, url: URL.parse(env[variable] ?? '') ?? undefined }
}

function open(host: string, signal: AbortSignal, onName: () => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 443, signal })
    socket.once('lookup', (error) => error ?? onName())
    socket.once('error', reject).once('connect', () => resolve(socket))
  })
}

function tunnel(proxy: URL, host: string, signal: AbortSignal): Promise<Socket> {
  const { hostname, port, protocol, username, password } = proxy
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  const authorization = `Basic ${Buffer.from(login).toString('base64')}`
  return new Promise((resolve, reject) => {
    const request = (protocol === 'https:' ? requestHttps : requestHttp)({
      host: hostname.replace(/^\[|\]$/g, ''),
      port,
      method: 'CONNECT',
      path: `${host}:443`,
      headers: { Host: `${host}:443`, ...(username === '' ? {} : { 'Proxy-Authorization': authorization }) },
      agent: false,
      signal,
    })
    request.once('connect', ({ statusCode }, socket) => {
      if (statusCode === 200) return resolve(socket as Socket)
      socket.destroy()
      reject(coded(`status ${statusCode}`))
    })
    request.once('response', ({ statusCode }) => reject(coded(`status ${statusCode}`)))
    request.once('error', reject).end()
  })
}

function encrypt(socket: Socket, host: string, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = connectTls({ socket, servername: host })
    signal.addEventListener('abort', () => secure.destroy(coded('no answer in time')), { once: true })
    secure.once('error', reject).once('secureConnect', () => resolve(secure))
    secure.once('close', () => reject(coded('closed')))
  })
}

function ask(socket: TLSSocket, host: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = requestHttp({ host, headers: { Host: host }, path: '/', createConnection: () => socket, signal })
    request.once('error', reject).end()
    request.once('response', (response) => {
      resolve(response)
      socket.destroy()
    })
  })
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code })
}
