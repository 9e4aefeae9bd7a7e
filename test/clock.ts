/** A clock that stands still until a test moves it. */
export interface Clock {
  /** Epoch ms. */
  now: () => number
  advance(ms: number): void
}

export const SECOND = 1_000
export const MINUTE = 60_000
export const HOUR = 3_600_000

export function createClock(startMs = Date.UTC(2026, 0, 15, 12)): Clock {
  let ms = startMs
  return {
    now: () => ms,
    advance(by) {
      ms += by
    },
  }
}
