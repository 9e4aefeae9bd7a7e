/** Connections to a host, for node:https and for Google's library: direct, or through the proxy of the variables. */

import { type ClientRequest, Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { HttpsProxyAgent } from 'https-proxy-agent'
import type { HttpProxy } from './proxy.ts'

/** We close an idle connection before most proxies and load balancers would, perhaps while a request is on its way. */
const IDLE_MS = 30_000

/** One connection, kept: further requests wait for it. */
const ONE = { keepAlive: true, maxSockets: 1 }

/** The system's certificates that Node does not have; undefined until they are needed. */
let system: readonly string[] | undefined
let widened: { of: readonly string[]; secureContext: SecureContext } | undefined

/**
 * Lets each later agent trust the system's certificates too; false where that adds none. Called once a certificate
 * was refused, as behind a company's proxy that inspects TLS: reading them takes some 200 ms (measured with Node
 * 24.21), too long for every start.
 */
export function trustSystem(): boolean {
  if (system === undefined) {
    const known = new Set(getCACertificates('default'))
    system = getCACertificates('system').filter((pem) => !known.has(pem))
  }
  return system.length > 0
}

/** Whether the next agent trusts the system's certificates too. */
export function trustsSystem(): boolean {
  return system !== undefined
}

interface Trust {
  secureContext?: SecureContext
}

/** Made once for the certificates that Node trusts by default, which a program may change. */
function trust(): Trust {
  if (system === undefined || system.length === 0) return {}
  const of = getCACertificates('default')
  if (widened?.of !== of) widened = { of, secureContext: createSecureContext({ ca: [...of, ...system] }) }
  return { secureContext: widened.secureContext }
}

/**
 * The proxy's failure, not the target's. Only an error's code passes through Google's library: it is `PROXY_` and the
 * status that the proxy answered with, Node's code for why it cannot be reached, or `CLOSED`.
 */
export class ProxyError extends Error {
  override readonly name = 'ProxyError'
  readonly code: `PROXY_${string}`

  constructor(reason: string) {
    super(`the proxy: ${reason}`)
    this.code = `PROXY_${reason}`
  }
}

/**
 * An agent for requests to that target alone. It keeps one connection; further requests wait for it. Every request
 * gets such an agent, proxied or not, so that neither a library nor NODE_USE_ENV_PROXY reads the variables in its own way.
 * `proxy` is what `proxyFor` finds for the target; requests fail with a ProxyError where the proxy does not connect to
 * it. `signal` closes the agent, in whatever state its connection is.
 */
export function createAgent(target: string | URL, proxy: HttpProxy | undefined, signal: AbortSignal): HttpAgent {
  const trusted = trust()
  const isSecure = new URL(target).protocol === 'https:'
  if (proxy !== undefined) return new ProxyAgent(isSecure, proxy, trusted, signal)
  const options = { ...trusted, ...ONE, timeout: IDLE_MS }
  const agent = isSecure ? new HttpsAgent(options) : new HttpAgent(options)
  signal.addEventListener('abort', () => agent.destroy(), { once: true })
  return agent
}

type ConnectOptions = Parameters<HttpsProxyAgent<string>['connect']>[1]

class ProxyAgent extends HttpsProxyAgent<string> {
  readonly #isSecure: boolean

  constructor(isSecure: boolean, { url }: HttpProxy, trusted: Trust, signal: AbortSignal) {
    super(url, { ...trusted, ...ONE, signal } as object)
    this.#isSecure = isSecure
    // The library drops what node:http reads here.
    Object.assign(this.options, { ...trusted, timeout: IDLE_MS })
  }

  /** The library would look for node:https in two stack traces of each request. */
  override isSecureEndpoint(): boolean {
    return this.#isSecure
  }

  /** Turns a proxy's refusal into an error; the library would pass it on as the target's own answer. */
  override async connect(request: ClientRequest, options: ConnectOptions) {
    let status = 0
    request.once('proxyConnect', (response: { statusCode: number }) => {
      status = response.statusCode
    })
    const socket = await super.connect(request, options).catch((error: NodeJS.ErrnoException) => {
      throw new ProxyError(error.code ?? 'CLOSED')
    })
    if (status === 200) return socket
    socket.destroy()
    throw new ProxyError(/^[1-5]\d\d$/.test(String(status)) ? String(status) : 'NOT_HTTP')
  }
}
