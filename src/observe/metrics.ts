/**
 * Counts of events since the start, in Prometheus' form at a scrape. Labels come from closed lists only: never an
 * audience, a path or a caller.
 */

import type { Events, SidemintEvent } from '../core/events.ts'
import type { Tally } from './prometheus.ts'

export interface Metrics {
  /** In Prometheus' text format, with its Content-Type. */
  scrape(): Promise<{ type: string; body: string }>
}

export function createMetrics(events: Events): Metrics {
  const requests = createCount('sidemint_requests_total', 'Token requests answered.', [
    'kind',
    'result',
    'status',
    'code',
  ])
  const mints = createCount('sidemint_mints_total', 'Mints finished; code says why one failed.', ['kind', 'code'])
  const decisions = createCount('sidemint_gate_decisions_total', 'Decisions of gates.', ['decision', 'code'])
  const notices = createCount('sidemint_notices_total', 'Warnings and changes of state.', ['level', 'code'])

  function count(event: SidemintEvent): void {
    const { code = '' } = event
    if (event.type === 'request') requests.add(event.kind, event.result, event.status, code)
    else if (event.type === 'mint') mints.add(event.kind, code)
    else if (event.type === 'gate') decisions.add(event.decision, code)
    else notices.add(event.type === 'cut' ? 'warn' : event.level, code)
  }
  events.subscribe(count)

  return {
    async scrape() {
      const { toPrometheus } = await import('./prometheus.ts')
      return toPrometheus([requests, mints, decisions, notices])
    },
  }
}

/** Counts along a path of label values: one key of all of them would have to be made at every hit. */
function createCount(name: string, help: string, labels: readonly string[]) {
  const tally: Tally = { count: 0, by: new Map() }
  return {
    name,
    help,
    labels,
    tally,
    add(...values: (string | number)[]) {
      let at = tally
      for (const value of values) {
        let next = at.by.get(value)
        if (next === undefined) {
          next = { count: 0, by: new Map() }
          at.by.set(value, next)
        }
        at = next
      }
      at.count += 1
    },
  }
}
