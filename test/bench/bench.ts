/** What the sections of the bench share: where they run, and a line of the table. */

import type { Load, Measured } from './processes.ts'
import { ratio, type Spread, spread } from './rounds.ts'

export interface Bench {
  load: Load
  /** For logs and answers; removed at the end. */
  directory: string
  /** The command line of the shipped server. */
  sidemint(flags: readonly string[]): string[]
  /** Another metadata server, named with `--against`. */
  rival: Measured | undefined
}

export interface Row {
  what: string
  unit: string
  /** Each server's own figures, by its name. */
  figures: Record<string, Spread>
  /** Ours over the base, round by round; absent where the figure has no base. */
  ratio?: Spread
  /** The most that the ratio, or a figure without one, may be. */
  budget?: number
  met?: boolean
  /** Why there is no figure. */
  skipped?: string
}

export interface Measurement {
  what: string
  unit: string
  figures: Record<string, readonly number[]>
  ours: string
  base?: string
  budget?: number | undefined
}

export function row({ what, unit, figures, ours, base, budget }: Measurement): Row {
  const own = figures[ours] ?? []
  const against = base === undefined ? undefined : ratio(own, figures[base] ?? [])
  const judged = (against ?? spread(own)).median
  return {
    what,
    unit,
    figures: Object.fromEntries(
      [ours, base].flatMap((name) => (name === undefined ? [] : [[name, spread(figures[name] ?? [])]])),
    ),
    ...(against === undefined ? {} : { ratio: against }),
    ...(budget === undefined ? {} : { budget, met: judged <= budget }),
  }
}

export function skipped(what: string, why: string): Row {
  return { what, unit: '', figures: {}, skipped: why }
}
