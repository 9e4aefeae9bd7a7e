/** The steps of a gate's decision: how far it got, and which one failed. */

import type { GateEvent } from '../core/events.ts'
import { acceptsAudience } from '../gate/audience.ts'
import type { Check, Step } from './rows.ts'
import { shownClaim } from './shown.ts'

const STEPS = ['token', 'iss', 'exp', 'aud', 'email'] as const satisfies readonly Step[]

/** The step at which each code refuses. Other codes are of no step: HOST_UNKNOWN comes before the first, INTERNAL anywhere. */
const FAILED_AT: Readonly<Record<string, Step>> = {
  TOKEN_MISSING: 'token',
  TOKENS_SEVERAL: 'token',
  TOKEN_INVALID: 'token',
  ISSUER_NOT_TRUSTED: 'iss',
  KEY_UNKNOWN: 'iss',
  KEY_UNUSABLE: 'iss',
  KEYS_UNAVAILABLE: 'iss',
  TOKEN_EXPIRED: 'exp',
  AUDIENCE_WRONG: 'aud',
  NOT_AN_INVOKER: 'email',
}

/** The issuer is a trusted one; whether it signed the token is what its keys would show. */
const UNDECIDED = 'KEYS_UNAVAILABLE'

export function failedAt({ code }: Pick<GateEvent, 'code'>): Step | undefined {
  return FAILED_AT[code]
}

type Judged = Pick<GateEvent, 'claims' | 'code' | 'at' | 'wants'>

/** Empty where there is no token, where the service needs none, and where it is unknown how far the decision got. */
export function checksOf(event: Judged): Check[] {
  const { claims, code } = event
  const failed = failedAt(event)
  if (claims === undefined || typeof claims !== 'object') return []
  if (failed === undefined && code !== 'INVOKER') return []
  const last = failed === undefined ? STEPS.length : STEPS.indexOf(failed)
  return STEPS.slice(1).map((claim) => {
    const at = STEPS.indexOf(claim)
    const good = at < last ? true : at > last ? beyond(claim, event) : code === UNDECIDED ? undefined : false
    return {
      claim: claim as Check['claim'],
      ...(claims[claim] === undefined ? {} : { value: shownClaim(claims[claim]) }),
      ...(good === undefined ? {} : { good }),
    }
  })
}

/** Whether a claim is good that the gate did not get to; undefined where that is unknown. */
function beyond(claim: Step, { at, claims, wants }: Judged): boolean | undefined {
  const value = claims?.[claim]
  if (claim === 'exp' && typeof value === 'number') return value * 1000 > at
  if (claim !== 'aud' || wants === undefined) return undefined
  return acceptsAudience(value, wants.audiences, wants.gcloudAudiences)
}
