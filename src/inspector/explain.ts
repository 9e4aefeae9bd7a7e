/** What a gate decides about a request, and what would have to differ. It decides as the gate does, and records nothing. */

import { failure } from '../core/errors.ts'
import { hostName } from '../core/host.ts'
import { isWebUrl } from '../core/schemas.ts'
import { withoutSecrets } from '../core/secrets.ts'
import { readClaims } from '../core/token.ts'
import { acceptsAudience } from '../gate/audience.ts'
import { readCredential } from '../gate/credential.ts'
import type { Decision } from '../gate/decision.ts'
import type { Judge } from '../gate/judge.ts'
import { nearest } from '../gate/likeness.ts'
import { audienceLine, bindingLine, listLine } from '../gate/lines.ts'
import type { GateOptions } from '../gate/options.ts'
import { checksOf } from './checks.ts'
import type { Check } from './rows.ts'
import { shown, shownClaims } from './shown.ts'

/** As `explain --json` prints it. It holds no token and no signature. */
export interface Explanation {
  decision: 'admitted' | 'refused'
  /** Of the refusal, or `INVOKER` or `PUBLIC`. */
  code: string
  /** Of the refusal; null where there is none. */
  status: number | null
  reason: string
  /** What to do; empty where it is admitted. */
  fix: string
  gate: {
    host: string | null
    /** `report`: the gate lets through what it would refuse. */
    mode: GateOptions['mode']
    audiences: readonly string[]
    others: readonly string[]
  }
  /** Email or subject of the verified token; empty where none was verified. */
  account: string
  /** What the token says, verified or not; null where it says nothing. */
  claims: Record<string, unknown> | null
  checks: readonly Check[]
  /** What would let the token pass as it is; null where nothing would. */
  lines: { sidemint: string | null; gcloud: string | null }
}

export interface Question {
  /** As Node has them. */
  rawHeaders: readonly string[]
  /** An audience or the host of the gate that is meant. Default: the gate that the token is for. */
  audience: string | undefined
  /** Epoch ms. */
  now: number
}

/** Throws GATE_UNKNOWN. */
export async function explain(judges: readonly Judge[], question: Question): Promise<Explanation> {
  const { rawHeaders, audience, now } = question
  const claims = claimsOf(rawHeaders)
  const judge = chooseJudge(judges, audience, claims?.aud)
  const decision = await judge.decide(rawHeaders)
  const { refusal, isPublic, principal } = decision
  const code = refusal?.code ?? (isPublic ? 'PUBLIC' : 'INVOKER')
  const { host = null, mode, audiences } = judge.gate
  return {
    decision: refusal === undefined ? 'admitted' : 'refused',
    code,
    status: refusal?.status ?? null,
    reason: shown(refusal?.message ?? whyAdmitted(decision)),
    fix: shown(refusal?.fix ?? ''),
    gate: { host, mode, audiences, others: judges.filter((one) => one !== judge).map(nameOf) },
    account: shown(principal),
    claims: shownClaims(claims) ?? null,
    checks: checksOf({ claims, code, at: now, wants: judge.wants }),
    lines: linesFor(code, judge, claims ?? {}, decision.lines),
  }
}

const nameOf = ({ gate }: Judge): string => gate.host ?? gate.audiences[0] ?? 'the only gate'

/** What the request's token says, verified or not; undefined where the request has no token, or several. */
export function claimsOf(rawHeaders: readonly string[]): Record<string, unknown> | undefined {
  try {
    const claims = readClaims(readCredential(rawHeaders).token)
    return typeof claims === 'object' && claims !== null ? claims : undefined
  } catch {
    return undefined
  }
}

/** The gate that was named; else the one that takes the token's audience; else the one whose audience is most like it. */
function chooseJudge(judges: readonly Judge[], named: string | undefined, aud: unknown): Judge {
  if (named !== undefined || judges.length === 0) return namedJudge(judges, named)
  const closed = judges.filter(({ gate }) => !gate.invokers.includes('allUsers'))
  const takes = closed.find(({ gate }) => acceptsAudience(aud, gate.audiences, false))
  const audiences = closed.flatMap(({ gate }) => gate.audiences)
  // A person's token is for every service.
  const isForAll = acceptsAudience(aud, [], true)
  const like = typeof aud === 'string' && !isForAll ? nearest(aud, audiences) : undefined
  const near = closed.find(({ gate }) => like !== undefined && gate.audiences.includes(like))
  return takes ?? near ?? closed[0] ?? (judges[0] as Judge)
}

function namedJudge(judges: readonly Judge[], named = ''): Judge {
  const host = hostName(isWebUrl(named) ? (URL.parse(named)?.host ?? '') : named)
  const found =
    judges.find(({ gate }) => acceptsAudience(named, gate.audiences, false)) ??
    judges.find(({ gate }) => gate.host === host)
  if (found !== undefined) return found
  const known = judges.flatMap(({ gate }) => (gate.audiences.length > 0 ? gate.audiences : [gate.host ?? '']))
  throw failure('GATE_UNKNOWN', { audience: shown(named) || 'this token', known: known.join(', ') || 'none' })
}

function whyAdmitted({ isPublic, principal, audience }: Decision): string {
  return isPublic
    ? 'the service is public (allUsers), so no token is looked at'
    : `${principal || 'the subject ""'} may invoke the service, and the token is for ${audience}`
}

/** The lines under which this very token would pass, and the same call in production. */
function linesFor(
  code: string,
  { gate, wants, place }: Judge,
  { aud, iss }: Record<string, unknown>,
  lines: Decision['lines'],
): Explanation['lines'] {
  const service = gate.host ?? ''
  if (code === 'TOKEN_MISSING') {
    return { sidemint: listLine('invoker', [], 'allUsers'), gcloud: bindingLine(service, 'allUsers', place) }
  }
  if (code === 'AUDIENCE_WRONG' && typeof aud === 'string') {
    const wanted = withoutSecrets(aud)
    return { sidemint: listLine('audience', wants.audiences, wanted), gcloud: audienceLine(service, wanted, place) }
  }
  if (code === 'ISSUER_NOT_TRUSTED' && typeof iss === 'string' && isWebUrl(iss)) {
    return { sidemint: listLine('trust', wants.trust, iss), gcloud: null }
  }
  return { sidemint: lines?.here ?? null, gcloud: lines?.production ?? null }
}
