/** What all lines of the log are made of. */

import { visible } from '../core/visible.ts'

/** Longer audiences are cut in a line; the JSON record has them up to FIELD_LIMIT. */
const TEXT_LIMIT = 100
export const FIELD_LIMIT = 2_000

export interface Line {
  text: string
  /** Called only where the line is a JSON record. */
  fields: () => object
  /** Lines with the same key within `REPEAT_MS` are written once. */
  repeat?: string
}

/** Where the page shows what a line is about. */
export interface Place {
  text: string
  field: { page?: string }
}

export const NOWHERE: Place = { text: '', field: {} }

export function placeOf(address: string, shownAt: string): Place {
  const page = `${shownAt}/_sidemint/#${address}`
  return { text: `. See ${page}`, field: { page } }
}

export function shortEmail(email: string): string {
  return printable(email).replace(/(?:\.iam)?\.gserviceaccount\.com$/, '')
}

/** A caller's text as a log line may contain it. */
export function printable(text: string, limit = TEXT_LIMIT): string {
  return visible(text.length > limit ? `${text.slice(0, limit)}…` : text)
}
