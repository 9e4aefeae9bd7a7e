/** The event of a gate's decision, which log and metrics read. */

import type { IncomingMessage } from 'node:http'
import { withFix } from '../core/errors.ts'
import type { GateEvent, GateWants } from '../core/events.ts'
import { fingerprint, readClaims } from '../core/token.ts'
import type { Decision } from './decision.ts'
import { shownPath } from './exchange.ts'

export interface Outcome {
  decision: Decision
  /** What was asked for. */
  host: string
  /** A name, or the address. */
  caller: string
  /** False in mode report, where the gate lets everything pass. */
  enforced: boolean
  /** The service's status; undefined where it was not asked, or the caller left before. */
  upstreamStatus?: number | undefined
  tookMs: number
  /** Absent where no gate has the host. */
  wants?: GateWants
}

/** `at` in epoch ms. */
export function gateEvent(req: IncomingMessage, at: number, outcome: Outcome): GateEvent {
  const { decision, host, caller, enforced, upstreamStatus, tookMs, wants } = outcome
  const { refusal, isPublic, audience, principal, lines, said, credential } = decision
  return {
    type: 'gate',
    at,
    decision: refusal === undefined ? 'allow' : enforced ? 'refuse' : 'report',
    status: refusal?.status,
    code: refusal?.code ?? (isPublic ? 'PUBLIC' : 'INVOKER'),
    caller,
    host,
    method: req.method ?? '',
    path: shownPath(req),
    upstreamStatus,
    audience,
    principal,
    reason: refusal === undefined ? '' : withFix(refusal),
    lines,
    tookMs,
    wants,
    fp: said?.fp ?? (credential && fingerprint(credential.token)),
    claims: said?.claims ?? (credential && readClaims(credential.token)),
  }
}
