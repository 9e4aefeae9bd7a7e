/** The way to a host for node:https and for Google's library: straight, or through the proxy of the variables. */

import { type ClientRequest, Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { HttpsProxyAgent } from 'https-proxy-agent'
import type { HttpProxy } from './proxy.ts'

/** An idle connection is closed by us before most proxies and load balancers do it while a request is on its way. */
const IDLE_MS = 30_000

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
  const options = { keepAlive: true, maxSockets: 1, timeout: IDLE_MS }
  if (proxy !== undefined) return new ProxyAgent(proxy, signal)
  const agent = new URL(target).protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options)
  signal.addEventListener('abort', () => agent.destroy(), { once: true })
  return agent
}

type ConnectOptions = Parameters<HttpsProxyAgent<string>['connect']>[1]

class ProxyAgent extends HttpsProxyAgent<string> {
  constructor({ url }: HttpProxy, signal: AbortSignal) {
    super(url, { keepAlive: true, maxSockets: 1, signal } as object)
    // The library drops what node:http reads here for idle connections.
    Object.assign(this.options, { timeout: IDLE_MS })
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
    throw new ProxyError(Number.isNaN(status) ? 'NOT_HTTP' : String(status))
  }
}
