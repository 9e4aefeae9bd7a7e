/** Asks again and again, from inside a stack's network, for what must be refused and for what must not. */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Probe {
  name: string
  url: string
  method?: string
  headers: Record<string, string>
  /** The status of the refusal, or 200. */
  expected: number
}

/** One answer: a status, or why there was none. */
export interface Seen {
  name: string
  fromMs: number
  untilMs: number
  outcome: number | string
}

export interface Prober {
  seen: readonly Seen[]
  /** The next outcome of a probe that begins from now on and is as wanted. Rejects where none is in time. */
  until(name: string, wanted: Seen['outcome']): Promise<void>
  stop(): void
}

const PAUSE_MS = 700
const UNTIL_MS = 30_000

/** By node:http, since fetch sends no other Host than the URL's. */
const SCRIPT = `
  import http from 'node:http'
  const once = ({ name, url, method, headers }) => new Promise((resolve) => {
    const fromMs = Date.now()
    const end = (outcome) => resolve(console.log(JSON.stringify({ name, fromMs, untilMs: Date.now(), outcome })))
    const asked = http.request(url, { method, headers, agent: false, timeout: 5_000 }, (response) => {
      response.resume().on('end', () => end(response.statusCode)).on('error', ({ code }) => end(code))
    })
    asked.on('timeout', () => asked.destroy(Object.assign(new Error(), { code: 'TIMEOUT' })))
    asked.on('error', ({ code }) => end(code)).end()
  })
  for (;;) {
    await Promise.all(PROBES.map(once))
    await new Promise((resolve) => setTimeout(resolve, ${PAUSE_MS}))
  }`

export function startProber(container: string, probes: readonly Probe[]): Prober {
  const script = `const PROBES = ${JSON.stringify(probes)}\n${SCRIPT}`
  const argv = ['exec', container, 'node', '--input-type=module', '--eval', script]
  const child = spawn('docker', argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const seen: Seen[] = []
  createInterface({ input: child.stdout }).on('line', (line) => seen.push(JSON.parse(line)))
  return {
    seen,
    async until(name, wanted) {
      const fromMs = Date.now()
      while (Date.now() - fromMs < UNTIL_MS) {
        const found = seen.findLast((one) => one.name === name)
        if (found !== undefined && found.fromMs >= fromMs && found.outcome === wanted) return
        await sleep(100)
      }
      throw new Error(`${name}: not ${wanted} in time, but ${seen.findLast((one) => one.name === name)?.outcome}`)
    },
    stop: () => void child.kill(),
  }
}

/** A time in which a server may be away. */
export interface Away {
  fromMs: number
  untilMs: number
}

/** What was answered that must not be, in words. */
export function findAdmitted(probes: readonly Probe[], seen: readonly Seen[], away: readonly Away[] = []): string[] {
  return seen.flatMap(({ name, fromMs, untilMs, outcome }) => {
    const { expected = 0 } = probes.find((probe) => probe.name === name) ?? {}
    if (expected === 200 || outcome === expected) return []
    const isAway = away.some((one) => fromMs <= one.untilMs && untilMs >= one.fromMs)
    const isNoAnswer = typeof outcome === 'string' || outcome >= 500
    return isAway && isNoAnswer ? [] : [`${name}: ${outcome} in place of ${expected}`]
  })
}
