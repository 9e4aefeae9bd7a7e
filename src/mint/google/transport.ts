/**
 * Every call to Google goes through here, also the library's own: it is limited in time, retried where that can help, and
 * read for Google's clock. By itself the library waits for ever, retries without regard to who still waits, and follows
 * redirects with the secrets that it posts (docs/minting.md, "Time and retries"). Its errors end here too, since they
 * carry refresh tokens and subject tokens: what is thrown from here is our own.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Agent } from 'node:http'
import { gaxios } from 'google-auth-library'
import { readDate } from '../../core/date.ts'
import { trustSystem, trustsSystem } from '../../http/agent.ts'
import { proxyFor } from '../../http/proxy.ts'
import { type Bounds, bounded, retrying, timed } from '../bounded.ts'
import { createConnections } from './connections.ts'
import { ANSWER_LIMIT, explainThrown, garbage, isPassing, isUntrusted } from './thrown.ts'

export interface Transport {
  gaxios: gaxios.Gaxios
  /** Runs a mint: all calls below it share its time, and end with the signal. */
  run<T>(closing: AbortSignal | undefined, mint: () => Promise<T>): Promise<T>
  /** The signal that ends the mint which is running here. */
  signal(): AbortSignal | undefined
}

/**
 * The library's own retries are off: they know nothing of our time limits. So is its redactor: it writes into the body
 * that it was given, and our next attempt would send that. `redirect` and `size` are options of node-fetch: there two
 * redirects of 307 in a row end the process (docs/minting.md, "Time and retries"), and `size` counts unpacked bytes.
 */
const OURS = {
  retryConfig: { retry: 0 },
  errorRedactor: false,
  redirect: 'manual',
  size: ANSWER_LIMIT,
} as const

export interface TransportOptions {
  /** Where the proxy variables are read from. */
  env: NodeJS.ProcessEnv
  bounds: Bounds
  /** Whose hosts are Google's. */
  universe: string
  /** Called for every answer of Google's, with Google's clock (its Date header, epoch ms). */
  onDate: (googleMs: number) => void
}

export function createTransport({ env, bounds, universe, onDate }: TransportOptions): Transport {
  const totals = new AsyncLocalStorage<AbortSignal>()
  const connections = createConnections(hasAnswer)

  function tellDate(response: gaxios.GaxiosResponse | undefined, host: string): void {
    const dateMs = readDate(response?.headers?.get('date'))
    if (host.endsWith(`.${universe}`) && dateMs !== undefined) onDate(dateMs)
  }

  class BoundedGaxios extends gaxios.Gaxios {
    override async request<T>(options: gaxios.GaxiosOptions = {}): Promise<gaxios.GaxiosResponse<T>> {
      const total = totals.getStore() ?? AbortSignal.timeout(bounds.totalMs)
      const url = new URL(String(options.url))
      const attempt = (agent: Agent) =>
        timed(bounds, total, (signal) => this.#attempt<T>({ ...options, ...OURS, agent, signal }, url))
      const to = { url, proxy: proxyFor(url, env) }
      const isWorthRetrying = createRetryRule()
      try {
        return await retrying(bounds, total, isWorthRetrying, () => connections.use(to, total, attempt))
      } catch (thrown) {
        throw explainThrown(thrown, to)
      }
    }

    async #attempt<T>(options: gaxios.GaxiosOptions, { host }: URL) {
      const exchange = options.method === 'POST'
      try {
        const response = await super.request<T>({ ...options, ...(exchange ? { responseType: 'json' } : {}) })
        tellDate(response, host)
        // Google answers every POST with JSON; the library would take a captive portal's page for an answer.
        if (exchange && (typeof response.data !== 'object' || response.data === null)) throw garbage(host)
        return response
      } catch (error) {
        tellDate((error as { response?: gaxios.GaxiosResponse }).response, host)
        throw error
      }
    }
  }

  return {
    gaxios: new BoundedGaxios(),
    run: (closing, mint) => bounded(bounds, closing, (total) => totals.run(total, mint)),
    signal: () => totals.getStore(),
  }
}

/** After a refused certificate another attempt is made where it will trust more than this one did. */
function createRetryRule(): (error: unknown) => boolean {
  let widest = trustsSystem()
  return (error) => {
    if (isPassing(error)) return true
    if (widest || !isUntrusted(error)) return false
    widest = true
    return trustSystem()
  }
}

/** Whether an answer was read to its end, whatever it said. */
function hasAnswer(error: unknown): boolean {
  return (error as { response?: unknown }).response !== undefined
}
