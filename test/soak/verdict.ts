/** What a soak finds wrong, by what was measured. */

/** After a part of the run, the server at rest: every client has left, and garbage is collected. */
export interface Rest {
  heapMiB: number
  /** The most of the part, under load. */
  residentMiB: number
  /** Without those of connections to Google and to the service behind the gate. */
  descriptors: number
}

export interface Measured {
  /** After each part of the run. */
  rests: readonly Rest[]
  wrong: { count: number; first: readonly string[] }
  checked: number
  /** Answers that Google, which runs on the same machine, was too late. */
  tooLate: number
  tookMs: readonly number[]
  /** How late one timer in a hundred was in the process of the clients: that is the machine's doing. */
  machineLateMs: number
  /** A server that ended by itself, or not as it should when it was stopped. */
  end: string | undefined
}

/** What is remembered up to a bound is full by then. */
export const RUN_IN = 2
const HEAP_GROWTH = { share: 0.05, MiB: 2 }
/** Pages that the allocator keeps come and go, so the most of the run-in counts. */
const RESIDENT_GROWTH = { share: 0.15, MiB: 8 }
/** Ruby's, PHP's and .NET's clients give up after 500 ms. */
const P99_MS = 250
/** A machine that is later than this says nothing of how slow a server is. */
export const BUSY_MS = 50

export function percentile(values: readonly number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}

/** Nothing is wrong: an empty list. */
export function findFaults({ rests, wrong, checked, tooLate, tookMs, machineLateMs, end }: Measured): string[] {
  const before = rests[RUN_IN - 1]
  const after = rests.at(-1)
  if (before === undefined || after === undefined || rests.length <= RUN_IN) return ['the run was too short to tell']
  const faults = [...wrong.first]
  if (wrong.count > wrong.first.length) faults.push(`and ${wrong.count - wrong.first.length} more like these`)
  if (end !== undefined) faults.push(end)
  if (checked === 0) faults.push('no token was answered')
  const grown = (what: string, from: number, to: number, { share, MiB }: { share: number; MiB: number }) => {
    if (to <= from * (1 + share) + MiB) return
    faults.push(`${what} grew from ${from.toFixed(1)} MiB after part ${RUN_IN} to ${to.toFixed(1)} MiB at the end`)
  }
  grown('the heap', before.heapMiB, after.heapMiB, HEAP_GROWTH)
  const peakMiB = Math.max(...rests.slice(0, RUN_IN).map(({ residentMiB }) => residentMiB))
  grown('resident memory', peakMiB, after.residentMiB, RESIDENT_GROWTH)
  if (after.descriptors > before.descriptors + 1) {
    faults.push(`descriptors grew from ${before.descriptors} to ${after.descriptors}, with no client there`)
  }
  if (machineLateMs > BUSY_MS) return faults
  if (tooLate > 0) faults.push(`${tooLate} answers said that Google was too late`)
  const p99Ms = percentile(tookMs, 0.99)
  if (!(p99Ms <= P99_MS)) faults.push(`one in a hundred cached tokens took more than ${p99Ms.toFixed(0)} ms`)
  return faults
}
