/** Time in a simulation: it passes when a step says so, and the wall clock may be set beside it. */

export interface Time {
  /** Ms that have really passed. */
  readonly atMs: number
  /** The same by a clock that stands still while the wall clock is set back, and takes every jump forward for time. */
  readonly steadyMs: number
  /** The next number: tells what came first within a moment. */
  next(): number
  /** When the wall clock was last set. */
  readonly setAtMs: number
  /** The same, where it was set back. */
  readonly setBackAtMs: number
  /** The wall clock, epoch ms. */
  wall(): number
  /** The system's other clock, which nobody sets and which stops while it sleeps. */
  elapsed(): number
  /** What waits goes on later: its time does not pass. */
  sleep(ms: number): void
  setWall(byMs: number): void
  /** Rejects once the signal aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void>
  /** Lets time pass; what waits goes on at its own moment, and all that follows from it is done before time goes on. */
  pass(ms: number): Promise<void>
}

/** Lets everything happen that does not wait for time or for Google. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve))

interface Waiting {
  dueMs: number
  end(): void
}

export function createTime(): Time {
  const waiting = new Set<Waiting>()
  let atMs = 0
  let sleptMs = 0
  let steadyMs = 0
  let order = 0
  let setAtMs = Number.NEGATIVE_INFINITY
  let setBackAtMs = Number.NEGATIVE_INFINITY
  let wallMs = Date.UTC(2026, 0, 15, 12)

  function go(ms: number): void {
    atMs += ms
    steadyMs += ms
    wallMs += ms
  }

  return {
    get atMs() {
      return atMs
    },
    get steadyMs() {
      return steadyMs
    },
    get setAtMs() {
      return setAtMs
    },
    get setBackAtMs() {
      return setBackAtMs
    },
    next() {
      order += 1
      return order
    },
    wall: () => wallMs,
    elapsed: () => atMs - sleptMs,
    sleep(ms) {
      go(ms)
      sleptMs += ms
      for (const one of waiting) one.dueMs += ms
    },
    setWall(byMs) {
      wallMs += byMs
      steadyMs += Math.max(0, byMs)
      setAtMs = atMs
      if (byMs < 0) setBackAtMs = atMs
    },
    wait(ms, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const one = { dueMs: atMs + ms, end: resolve }
      waiting.add(one)
      signal?.addEventListener('abort', () => {
        waiting.delete(one)
        reject(new Error('aborted'))
      })
      return promise
    },
    async pass(ms) {
      const endMs = atMs + ms
      for (;;) {
        let next: Waiting | undefined
        for (const one of waiting) if (one.dueMs <= endMs && !(next && next.dueMs <= one.dueMs)) next = one
        if (next === undefined) break
        waiting.delete(next)
        go(Math.max(0, next.dueMs - atMs))
        next.end()
        await settled()
      }
      go(endMs - atMs)
    },
  }
}
