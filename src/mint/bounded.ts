/** How long a mint may take, and what is retried: the same for every source that asks another server. */

import { setTimeout as sleep } from 'node:timers/promises'

export interface Bounds {
  /** One attempt. */
  attemptMs: number
  /** One mint with all its calls and retries. After 12 s nobody reads our reason any more (docs/minting.md, "Time and retries"). */
  totalMs: number
  /** Waited before the second and the third attempt. */
  retryDelaysMs: readonly number[]
}

export const BOUNDS: Bounds = { attemptMs: 5_000, totalMs: 10_000, retryDelaysMs: [200, 600] }

/** An attempt, or all of them, took too long. */
export class OutOfTime extends Error {
  override readonly name = 'OutOfTime'
}

/**
 * Runs a mint with the signal that ends it: after `totalMs`, or with `closing`; where `closing` has ended already,
 * nothing is begun. Throws OutOfTime then. Work that ignores the signal is abandoned two ticks later, so that work
 * which heeds it can reject first with its own reason.
 */
export async function bounded<T>(
  { totalMs }: Bounds,
  closing: AbortSignal | undefined,
  mint: (total: AbortSignal) => Promise<T>,
): Promise<T> {
  if (closing?.aborted) throw new OutOfTime('the server is closing')
  const total = new AbortController()
  const left = Promise.withResolvers<never>()
  const abort = () => {
    total.abort()
    setImmediate(() => setImmediate(() => left.reject(new OutOfTime('no end in time'))))
  }
  const timer = setTimeout(abort, totalMs)
  closing?.addEventListener('abort', abort)
  try {
    return await Promise.race([mint(total.signal), left.promise])
  } finally {
    clearTimeout(timer)
    closing?.removeEventListener('abort', abort)
  }
}

/** Runs the attempt until it succeeds, fails for good, or no try or time is left. `total` ends everything. */
export async function retrying<T>(
  { retryDelaysMs }: Bounds,
  total: AbortSignal,
  isPassing: (error: unknown) => boolean,
  attempt: () => Promise<T>,
): Promise<T> {
  for (const delayMs of [...retryDelaysMs, undefined]) {
    try {
      return await attempt()
    } catch (error) {
      const passing = error instanceof OutOfTime || isPassing(error)
      if (delayMs === undefined || total.aborted || !passing) throw total.aborted ? new OutOfTime('no time') : error
    }
    await sleep(delayMs, undefined, { signal: total }).catch(() => {})
    if (total.aborted) break
  }
  throw new OutOfTime('no time is left')
}

/** Runs one attempt with the signal that ends it, after `attemptMs` or with `total`. Throws OutOfTime then. */
export async function timed<T>(
  { attemptMs }: Bounds,
  total: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.any([total, AbortSignal.timeout(attemptMs)])
  try {
    return await attempt(signal)
  } catch (error) {
    throw signal.aborted ? new OutOfTime('no answer in time') : error
  }
}
