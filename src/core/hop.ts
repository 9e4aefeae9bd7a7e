/** Which calls between services are one row of the page, and the row's address there. */

import { createHash } from 'node:crypto'
import type { GateEvent } from './events.ts'

/** The status that the caller got. */
export function statusOf({ decision, status, upstreamStatus }: GateEvent): number | undefined {
  return decision === 'refuse' ? status : upstreamStatus
}

/** Calls with the same key are one row. */
export function hopKey(event: GateEvent): string {
  const { caller, host, method, path, decision, code, principal, audience } = event
  return [caller, host, method, path, decision, statusOf(event), code, principal, audience].join('\0')
}

/** Made from the key, so that the log knows it without the page, and it is the same after a restart. */
export function hopAddress(event: GateEvent): string {
  return `hop-${createHash('sha256').update(hopKey(event)).digest('hex').slice(0, 8)}`
}
