/** The way to a host for node:https and for Google's library: straight, or through the proxy of the variables. */

import { type ClientRequest, Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { HttpsProxyAgent } from 'https-proxy-agent'
import type { HttpProxy } from './proxy.ts'

/** An idle connection is closed by us before most proxies and load balancers do it while a request is on its way. */
const IDLE_MS = 30_000

/** The system's certificates that Node does not bring; undefined until they are needed. */
let system: readonly string[] | undefined
let widened: { of: readonly string[]; secureContext: SecureContext } | undefined

/**
 * Trusts the system's certificates too, from the next agent on; false where that adds nothing.
 * Asked once a certificate was refused, as behind a proxy that inspects TLS with a company's own authority: reading
 * them takes some 200 ms (measured with Node 24.21), too long for every start.
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

/** Made once for the certificates that Node trusts by default, which a program may change. */
function trust(): { secureContext?: SecureContext } {
  if (system === undefined || system.length === 0) return {}
  const of = getCACertificates('default')
  if (widened?.of !== of) widened = { of, secureContext: createSecureContext({ ca: [...of, ...system] }) }
  return { secureContext: widened.secureContext }
}

/**
 * What a request fails with where the proxy is at fault. The code is all that passes through Google's library:
 * `PROXY_` and the status that the proxy answered with, or Node's code for why it is not reached, or `CLOSED`.
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
 * An agent for requests to that target alone, with one kept connection at a time; requests beyond it wait. Give it to
 * every request, proxied or not, so that no library and no NODE_USE_ENV_PROXY reads the variables in its own way.
 * `proxy` is what `proxyFor` finds for the target; requests fail with a ProxyError where it does not lead there.
 * `signal` closes the agent, in whatever state its connection is.
 */
export function createAgent(target: string | URL, proxy: HttpProxy | undefined, signal: AbortSignal): HttpAgent {
  const options = { ...trust(), keepAlive: true, maxSockets: 1, timeout: IDLE_MS }
  if (proxy !== undefined) return new ProxyAgent(proxy, signal)
  const agent = new URL(target).protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options)
  signal.addEventListener('abort', () => agent.destroy(), { once: true })
  return agent
}

type ConnectOptions = Parameters<HttpsProxyAgent<string>['connect']>[1]

class ProxyAgent extends HttpsProxyAgent<string> {
  constructor({ url }: HttpProxy, signal: AbortSignal) {
    super(url, { ...trust(), keepAlive: true, maxSockets: 1, signal } as object)
    // The library drops what node:http reads here.
    Object.assign(this.options, { ...trust(), timeout: IDLE_MS })
  }

  /** A refusal is an error here; the library hands it on as if the target had answered so. */
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
