/** A run: parts of load at a steady rate, and a rest after each, in which the server is measured. */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRandom } from '../random.ts'
import { createActs } from './acts.ts'
import { type Loaded, load, TICK_MS, type Timed } from './load.ts'
import { type Reading, type Subject, startSubject } from './subject.ts'
import type { Measured, Rest } from './verdict.ts'

const PARTS = 6
/** The record of the page keeps the last 10,000 requests: it is full before anything is measured. */
const BURST = 10_500
const REWIRE_MS = 5_000
const GOOGLE_FAULT_MS = 10_000
const LOGIN_MS = 60_000
const LOOK_MS = 2_000
/** What ends behind a client that has left has ended by then. */
const SETTLE_MS = 15_000

export interface SoakOptions {
  /** The file that is run. */
  cli: string
  seconds: number
  perSecond: number
  seed: number
  /** Called with a line for people. */
  say?: (line: string) => void
}

export interface Soaked extends Measured, Loaded {
  done: Record<string, number>
  /** Of the event loop: what one look in a hundred lost at most in each look, and the most of all. */
  delayP99Ms: readonly number[]
  delayMostMs: number
  /** Under load. */
  mostDescriptors: number
}

export async function soak({ cli, seconds, perSecond, seed, say = () => {} }: SoakOptions): Promise<Soaked> {
  const random = createRandom(seed)
  const subject = await startSubject(cli)
  const acts = createActs(subject, random)
  const rests: Rest[] = []
  const looks: Reading[] = []
  let mostDescriptors = 0
  let residentMiB = 0
  const loaded: Loaded = { begun: 0, leftOut: 0 }

  async function look(): Promise<void> {
    looks.push(await subject.read('look'))
    mostDescriptors = Math.max(mostDescriptors, await subject.descriptors())
    residentMiB = Math.max(residentMiB, subject.residentMiB())
    // They are kept for tests, which end sooner.
    subject.google.calls.length = 0
  }

  let end: string | undefined
  const own = monitorEventLoopDelay({ resolution: TICK_MS })
  own.enable()
  try {
    await acts.burst(BURST)
    for (let part = 1; part <= PARTS && subject.ended() === undefined; part += 1) {
      residentMiB = 0
      const events = eventsOf(subject, random, look)
      const { begun, leftOut } = await load({ ms: (seconds * 1_000) / PARTS, perSecond, act: acts.act, events })
      loaded.begun += begun
      loaded.leftOut += leftOut
      acts.leave()
      const { heapMiB, descriptors } = await restOf(subject)
      rests.push({ heapMiB, residentMiB, descriptors })
      const resident = `resident at most ${residentMiB.toFixed(1)} MiB`
      const figures = `heap ${heapMiB.toFixed(1)} MiB, ${resident}, ${descriptors} descriptors`
      say(`part ${part} of ${PARTS}: ${figures}, ${acts.checked()} tokens checked, ${acts.wrong.count} wrong`)
    }
    end = subject.ended() === undefined ? undefined : `the server ended by itself: ${subject.ended()}`
  } finally {
    const code = await subject.stop()
    if (code !== 0) end ??= `the server ended with ${code} when it was stopped`
  }
  if (/INTERNAL|uncaught/i.test(subject.said())) end ??= `the server's log has a fault of its own:\n${subject.said()}`
  return {
    rests,
    wrong: acts.wrong,
    checked: acts.checked(),
    tooLate: acts.tooLate(),
    tookMs: acts.tookMs,
    machineLateMs: Math.max(0, own.percentile(99) / 1e6 - TICK_MS),
    end,
    done: acts.done,
    ...loaded,
    delayP99Ms: looks.map(({ delayP99Ms }) => delayP99Ms),
    delayMostMs: Math.max(...looks.map(({ delayMostMs }) => delayMostMs)),
    mostDescriptors,
  }
}

function eventsOf({ rewire, login, google }: Subject, random: () => number, look: () => Promise<void>): Timed[] {
  return [
    { everyMs: LOOK_MS, happen: look },
    { everyMs: REWIRE_MS, happen: rewire },
    { everyMs: LOGIN_MS, happen: login },
    {
      everyMs: GOOGLE_FAULT_MS,
      // A mint is tried three times: none fails for these.
      happen() {
        google.clearFaults()
        const path = ':generateIdToken'
        if (random() < 0.4) google.fault({ kind: 'status', status: 503, path, times: 2 })
        else if (random() < 0.5) google.fault({ kind: 'reset', path, times: 2 })
        else google.fault({ kind: 'delay', ms: 500, path, times: 20 })
      },
    },
  ]
}

/** Once the number of descriptors has stood still for a second, with no client there. */
async function restOf(subject: Subject): Promise<Pick<Rest, 'heapMiB' | 'descriptors'>> {
  let least = Number.POSITIVE_INFINITY
  let leastAtMs = performance.now()
  const until = performance.now() + SETTLE_MS
  while (performance.now() < until && performance.now() - leastAtMs < 1_000) {
    const now = await subject.descriptors()
    if (now < least) {
      least = now
      leastAtMs = performance.now()
    }
    await sleep(100)
  }
  const { heapMiB } = await subject.read('collect')
  return { heapMiB, descriptors: await subject.descriptors() }
}
