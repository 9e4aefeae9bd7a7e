/** Alternating rounds, and what is said about their figures. */

export interface Spread {
  median: number
  /** The middle half lies between these. */
  low: number
  high: number
}

/** Measures each in turn, the other way round every second time, so that a drift of the machine meets all alike. */
export async function alternate<const Name extends string>(
  rounds: number,
  measures: Record<Name, () => Promise<number>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(measures) as Name[]
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) figures[name].push(await measures[name]())
  }
  return figures
}

export function spread(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN
  return { median: at(0.5), low: at(0.25), high: at(0.75) }
}

/** Round by round, so that what slows a whole round cancels. */
export function ratio(ours: readonly number[], base: readonly number[]): Spread {
  return spread(ours.map((figure, round) => figure / (base[round] ?? Number.NaN)))
}
