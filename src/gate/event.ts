/** The event of a gate's decision, which log and metrics read. */

import type { IncomingMessage } from 'node:http'
import { type SidemintError, withFix } from '../core/errors.ts'
import type { GateEvent, GateWants } from '../core/events.ts'
import { fingerprint, readClaims } from '../core/token.ts'
import type { BearerToken } from './credential.ts'
import type { Decision } from './decision.ts'
import { hostOf, shownPath } from './exchange.ts'

export interface Outcome {
  /** A name, or the address. */
  caller: string
  /** Why it was, or would have been, refused. */
  refusal?: SidemintError
  /** False in mode report, where the gate lets everything pass. */
  enforced: boolean
  isPublic: boolean
  /** Of the verified token; empty where there is none. */
  audience: string
  principal: string
  lines?: Decision['lines']
  /** The service's status; undefined where it was not asked, or the caller left before. */
  upstreamStatus?: number | undefined
  tookMs: number
  /** Absent where no gate has the host. */
  wants?: GateWants
  /** Absent where no token was read. */
  credential?: BearerToken | undefined
  said?: Decision['said']
}

/** `at` in epoch ms. */
export function gateEvent(req: IncomingMessage, at: number, outcome: Outcome): GateEvent {
  const { caller, refusal, enforced, isPublic, audience, principal, lines, upstreamStatus, tookMs, wants } = outcome
  return {
    type: 'gate',
    at,
    decision: refusal === undefined ? 'allow' : enforced ? 'refuse' : 'report',
    ...(refusal === undefined ? {} : { status: refusal.status }),
    code: refusal?.code ?? (isPublic ? 'PUBLIC' : 'INVOKER'),
    caller,
    host: hostOf(req),
    method: req.method ?? '',
    path: shownPath(req),
    ...(upstreamStatus === undefined ? {} : { upstreamStatus }),
    audience,
    principal,
    reason: refusal === undefined ? '' : withFix(refusal),
    ...(lines === undefined ? {} : { lines }),
    tookMs,
    ...(wants === undefined ? {} : { wants }),
    ...whatItSays(outcome),
  }
}

function whatItSays({ said, credential }: Outcome): Pick<GateEvent, 'fp' | 'claims'> {
  if (said !== undefined) return { fp: said.fp, claims: said.claims }
  if (credential === undefined) return {}
  return { fp: fingerprint(credential.token), claims: readClaims(credential.token) }
}
