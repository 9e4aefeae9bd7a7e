/** Counts in Prometheus' text format. In a file of its own, so that only a scrape loads prom-client. */

import { Counter, Registry } from 'prom-client'

/** How often something happened, by the values of its labels. */
export interface Count {
  name: string
  help: string
  labels: readonly string[]
  tally: Tally
}

/** Counts by a label's value, and below each by the next label's. */
export interface Tally {
  count: number
  readonly by: Map<string | number, Tally>
}

export async function toPrometheus(all: readonly Count[]): Promise<{ type: string; body: string }> {
  const registry = new Registry()
  for (const { name, help, labels, tally } of all) {
    const counter = new Counter({ name, help, labelNames: labels, registers: [registry] })
    for (const [values, count] of flat(tally)) counter.labels(...values).inc(count)
  }
  return { type: registry.contentType, body: await registry.metrics() }
}

function flat({ count, by }: Tally, values: readonly string[] = []): [values: readonly string[], count: number][] {
  const below = [...by].flatMap(([value, tally]) => flat(tally, [...values, String(value)]))
  return count > 0 ? [[values, count], ...below] : below
}
