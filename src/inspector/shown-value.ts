/** A checked claim in words, on the page and in a shell. */

import type { Check } from './rows.ts'

/** The claim's value for people: a time as a date too. */
export function shownValue({ claim, value }: Check): string {
  if (value === undefined) return 'not in the token'
  if (claim !== 'exp' || typeof value !== 'number') return String(value)
  const date = new Date(value * 1000)
  return `${value}${Number.isNaN(date.getTime()) ? '' : ` (${date.toISOString()})`}`
}
