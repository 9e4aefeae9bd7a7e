/** Counts in Prometheus' text format. A file of its own so that prom-client is loaded only by the first scrape. */

import { Counter, Registry } from 'prom-client'

/** How often something happened, by the values of its labels. */
export interface Count {
  name: string
  help: string
  labels: readonly string[]
  /** The values of the labels with blanks between them; none of them holds one. */
  counts: ReadonlyMap<string, number>
}

export async function toPrometheus(all: readonly Count[]): Promise<{ type: string; body: string }> {
  const registry = new Registry()
  for (const { name, help, labels, counts } of all) {
    const counter = new Counter({ name, help, labelNames: labels, registers: [registry] })
    for (const [values, count] of counts) counter.labels(...values.split(' ')).inc(count)
  }
  return { type: registry.contentType, body: await registry.metrics() }
}
