/**
 * Every call to Google, the library's own included: bounded in time, retried where that can help, and read for
 * Google's clock. The library by itself waits for ever, and retries without regard to who still waits. Its errors end
 * here too: they carry refresh tokens and subject tokens, so what is thrown on is of our own making.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { gaxios } from 'google-auth-library'
import { type Bounds, retrying, within } from '../bounded.ts'
import { explainThrown, garbage, isPassing } from './failures.ts'

export interface Transport {
  gaxios: gaxios.Gaxios
  /** Runs a mint: all calls below it share its time, and end with the signal. */
  within<T>(closing: AbortSignal | undefined, mint: () => Promise<T>): Promise<T>
  /** Ends the mint that is under way here. */
  signal(): AbortSignal | undefined
}

/**
 * The library's own retries, which know nothing of our time, are off. So is its redactor: it writes into the body that
 * it was given, and our next attempt would send that.
 */
const OURS = { retry: false, retryConfig: { retry: 0, noResponseRetries: 0 }, errorRedactor: false } as const

/** `onDate` hears Google's clock, epoch ms, with every answer of Google's. */
export function createTransport(bounds: Bounds, onDate: (googleMs: number) => void): Transport {
  const totals = new AsyncLocalStorage<AbortSignal>()

  class BoundedGaxios extends gaxios.Gaxios {
    override async request<T>(options: gaxios.GaxiosOptions = {}): Promise<gaxios.GaxiosResponse<T>> {
      const total = totals.getStore() ?? AbortSignal.timeout(bounds.totalMs)
      const { hostname } = new URL(String(options.url))
      try {
        return await retrying(bounds, total, isPassing, (signal) => this.#attempt<T>(options, signal, hostname))
      } catch (thrown) {
        throw explainThrown(thrown, hostname)
      }
    }

    async #attempt<T>(options: gaxios.GaxiosOptions, signal: AbortSignal, host: string) {
      const exchange = options.method === 'POST'
      try {
        const response = await super.request<T>({
          ...options,
          ...OURS,
          signal,
          ...(exchange ? { responseType: 'json' } : {}),
        })
        readDate(response, host, onDate)
        // Whatever is posted is answered in JSON; the library takes a captive portal's page for an answer.
        if (exchange && (typeof response.data !== 'object' || response.data === null)) throw garbage(host)
        return response
      } catch (error) {
        readDate((error as { response?: gaxios.GaxiosResponse }).response, host, onDate)
        throw error
      }
    }
  }

  return {
    gaxios: new BoundedGaxios(),
    within: (closing, mint) => within(bounds, closing, (total) => totals.run(total, mint)),
    signal: () => totals.getStore(),
  }
}

function readDate(response: gaxios.GaxiosResponse | undefined, host: string, onDate: (ms: number) => void): void {
  const date = Date.parse(response?.headers?.get('date') ?? '')
  if (host.endsWith('.googleapis.com') && !Number.isNaN(date)) onDate(date)
}
