/** A text from outside as a row may keep it: short, and harmless where it is shown. */

import { withoutSecrets } from '../core/secrets.ts'
import { visible } from '../core/visible.ts'

const TEXT_LIMIT = 1_000
const CLAIM_LIMIT = 300
const MOST_CLAIMS = 30

/** Copies the part: in V8 a slice would keep the whole text in memory. */
export function shown(text: string, limit = TEXT_LIMIT): string {
  const open = withoutSecrets(text)
  const cut = open.length > limit ? Buffer.from(`${open.slice(0, limit)}…`).toString() : open
  return visible(cut)
}

/** The decoded claims; values other than texts, numbers and booleans are written as JSON. */
export function shownClaims(claims: unknown): Record<string, unknown> | undefined {
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims)) return undefined
  return Object.fromEntries(
    Object.entries(claims)
      .slice(0, MOST_CLAIMS)
      .map(([name, value]) => [shown(name, CLAIM_LIMIT), shownClaim(value)]),
  )
}

export function shownClaim(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value
  return shown(typeof value === 'string' ? value : JSON.stringify(value), CLAIM_LIMIT)
}
