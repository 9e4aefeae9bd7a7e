/** Load at a steady rate. */

import { setTimeout as sleep } from 'node:timers/promises'

export const TICK_MS = 10
export const MOST_AT_ONCE = 64

export type Timed = { everyMs: number; happen(): void | Promise<void> }

interface Load {
  ms: number
  perSecond: number
  act(): Promise<void>
  events: readonly Timed[]
}

export interface Loaded {
  begun: number
  /** What the rate asked for and was not begun, because as many as may be were under way. */
  leftOut: number
}

/**
 * Begins things at their rate, whether those before have ended or not; the process sleeps in between. Where the machine
 * cannot keep up, the rate falls.
 */
export async function load({ ms, perSecond, act, events }: Load): Promise<Loaded> {
  const underWay = new Set<Promise<void>>()
  const startedAtMs = performance.now()
  const next = events.map(({ everyMs }) => everyMs)
  let due = 0
  let begun = 0
  for (;;) {
    const atMs = performance.now() - startedAtMs
    if (atMs >= ms) break
    for (; due < (atMs * perSecond) / 1_000; due += 1) {
      if (underWay.size >= MOST_AT_ONCE) continue
      const one: Promise<void> = act().finally(() => underWay.delete(one))
      underWay.add(one)
      begun += 1
    }
    for (const [at, { everyMs, happen }] of events.entries()) {
      if (atMs < (next[at] ?? 0)) continue
      next[at] = atMs + everyMs
      await happen()
    }
    await sleep(TICK_MS)
  }
  await Promise.all(underWay)
  return { begun, leftOut: due - begun }
}
