/**
 * Every call to Google, the library's own included: bounded in time, retried where that can help, and read for
 * Google's clock. The library by itself waits for ever, and retries without regard to who still waits.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { gaxios } from 'google-auth-library'
import { type Bounds, OutOfTime, retrying } from '../bounded.ts'

export interface Transport {
  gaxios: gaxios.Gaxios
  /** Runs a mint: all calls below it share its time, and end with the signal. */
  within<T>(signal: AbortSignal | undefined, mint: () => Promise<T>): Promise<T>
}

/** The library's own retries, which know nothing of our time, are off. */
const NO_RETRIES = { retry: false, retryConfig: { retry: 0, noResponseRetries: 0 } }

/** `onDate` hears Google's clock, epoch ms, with every answer. */
export function createTransport(bounds: Bounds, onDate: (googleMs: number) => void): Transport {
  const totals = new AsyncLocalStorage<AbortSignal>()

  class BoundedGaxios extends gaxios.Gaxios {
    override async request<T>(options: gaxios.GaxiosOptions = {}): Promise<gaxios.GaxiosResponse<T>> {
      const total = totals.getStore() ?? AbortSignal.timeout(bounds.totalMs)
      return retrying(bounds, total, isPassing, async (signal) => {
        try {
          const response = await super.request<T>({ ...options, ...NO_RETRIES, signal })
          readDate(response, onDate)
          return response
        } catch (error) {
          readDate((error as { response?: gaxios.GaxiosResponse }).response, onDate)
          throw error
        }
      })
    }
  }

  return {
    gaxios: new BoundedGaxios(),
    within(signal, mint) {
      const total = AbortSignal.timeout(bounds.totalMs)
      return totals.run(signal === undefined ? total : AbortSignal.any([total, signal]), mint)
    },
  }
}

/** Faults that may be gone at the next attempt: no answer at all, too many requests, trouble on Google's side. */
export function isPassing(error: unknown): boolean {
  if (error instanceof OutOfTime) return true
  const { response, code } = error as { response?: { status: number }; code?: unknown }
  if (response !== undefined) return isPassingStatus(response.status)
  return typeof code === 'string' && /^E[A-Z_]+$/.test(code) && !isTlsCode(code)
}

export function isPassingStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/** A certificate that does not verify stays so. */
export function isTlsCode(code: string): boolean {
  return /CERT|SIGNATURE|ISSUER|ALTNAME|^EPROTO$|^ERR_(TLS|SSL)/.test(code)
}

function readDate(response: gaxios.GaxiosResponse | undefined, onDate: (googleMs: number) => void): void {
  const date = Date.parse(response?.headers?.get('date') ?? '')
  if (!Number.isNaN(date)) onDate(date)
}
