/** Which calls between services, and which requests for tokens, are one row of the page, and the row's address there. */

import { hash } from 'node:crypto'
import type { GateEvent, RequestEvent } from './events.ts'

/** The status that the caller got. */
export function statusOf({ decision, status, upstreamStatus }: GateEvent): number | undefined {
  return decision === 'refuse' ? status : upstreamStatus
}

/** Calls with the same key are one row. */
export function hopKey(event: GateEvent): string {
  const { caller, host, method, path, decision, code, principal, audience } = event
  return [caller, host, method, path, decision, statusOf(event), code, principal, audience].join('\0')
}

/** Made from what makes the row one, so that the log knows it without the page, and it is the same after a restart. */
export function hopAddress(event: GateEvent): string {
  return `hop-${digest(hopKey(event))}`
}

/** The same of a request for a token. */
export function askedAddress({ caller, kind, audience, scopes, identity, status, code }: RequestEvent): string {
  return `asked-${digest([caller, kind, audience, scopes.join(' '), identity, status, code].join('\0'))}`
}

function digest(text: string): string {
  return hash('sha256', text).slice(0, 8)
}
