/** Cloud Run's decision about one request, from its head alone. */

import { asFailure, failure, type SidemintError } from '../core/errors.ts'
import { acceptsAudience, isCallUrl } from './audience.ts'
import { type BearerToken, readCredential } from './credential.ts'
import { describeDifference } from './likeness.ts'
import { admits, type Invokers, type Principal } from './members.ts'
import type { Spelling } from './origin.ts'
import type { Claims, Verified, Verifier } from './verifier.ts'

export interface Rules {
  audiences: readonly string[]
  gcloudAudiences: boolean
  /** Email by subject, for tokens without an email: for Cloud Run `sub` is enough (docs/gate.md, "Who may invoke"). */
  subjects: Readonly<Record<string, string>>
  /** The entry of `trust` that the subjects belong to: another issuer may give the same subject to somebody else. */
  subjectsOf: string
  spell: Spelling
}

export interface Decision {
  /** Why not; absent where the request may pass. */
  refusal?: SidemintError
  /** The request's token; absent where it has none, or where the service needs none. */
  credential?: BearerToken
  /** The verified token's claims and fingerprint; absent where none was verified. */
  said?: Pick<Verified, 'claims' | 'fp'>
  /** Of the verified token; else empty. */
  audience: string
  principal: string
}

/**
 * In Cloud Run's order (docs/gate.md, "The decision"): a public service admits everybody; then no token is 403, a bad one
 * and one for another audience 401, a good one of somebody who may not invoke 403.
 */
export async function decide(
  rawHeaders: readonly string[],
  rules: Rules,
  invokers: Invokers,
  verifier: Verifier,
): Promise<Decision> {
  const decision: Decision = { audience: '', principal: '' }
  if (invokers.everyone) return decision
  try {
    decision.credential = readCredential(rawHeaders, rules.audiences[0] ?? '')
    const verified = await verifier.verify(decision.credential.token, rules.spell('trust'))
    const { claims, fp } = verified
    decision.said = { claims, fp }
    const principal = principalOf(verified, rules, invokers)
    decision.audience = typeof claims.aud === 'string' ? claims.aud : 'a list of audiences'
    decision.principal = principal.email ?? claims.sub
    if (!acceptsAudience(claims.aud, rules.audiences, rules.gcloudAudiences)) {
      const hint = isCallUrl(decision.audience) ? CALL_URL_HINT : ''
      const { audience } = decision
      const difference = describeDifference(audience, rules.audiences)
      throw failure('AUDIENCE_WRONG', { audience, difference, audiences: rules.audiences.join(', '), hint })
    }
    if (!admits(invokers, principal))
      throw failure('NOT_AN_INVOKER', {
        principal: describe(decision.principal, claims, rules.spell('subject'), invokers),
        setting: rules.spell('invoker'),
        hint: groupHint(invokers, rules.spell('group')),
      })
  } catch (error) {
    decision.refusal = asFailure(error)
  }
  return decision
}

/** docs/gate.md, "Audiences" */
const CALL_URL_HINT =
  '. The token is for the whole URL of a call, as Cloud Tasks and Cloud Scheduler have it by default (Cloud Run takes ' +
  'that at run.app only): set `oidcToken.audience` there'

/**
 * An email counts only where its issuer has verified it. Only a local issuer's subjects are compared with those that we
 * make from emails: Google's are other numbers.
 */
function principalOf({ claims, trusted }: Verified, rules: Rules, invokers: Invokers): Principal {
  const { email, email_verified: verified, sub, hd } = claims
  const listed = trusted === rules.subjectsOf ? rules.subjects[sub] : undefined
  const derived = trusted === 'google' ? undefined : invokers.subjects.get(sub)
  const own = email === undefined ? (listed ?? derived) : verified === true ? email : undefined
  if (typeof own !== 'string') return {}
  return { email: own.toLowerCase(), ...(typeof hd === 'string' ? { hostedDomain: hd.toLowerCase() } : {}) }
}

function describe(
  principal: string,
  { email, email_verified: verified, sub }: Claims,
  setting: string,
  { unknownGroups }: Invokers,
): string {
  if (email === undefined && principal === sub) {
    return `the subject ${principal}, whose token has no email (say whose it is: ${principal}=EMAIL in ${setting}),`
  }
  if (email !== undefined && verified !== true)
    return `${principal}, whose email ${String(email).slice(0, 320)} is not verified,`
  return unknownGroups.size === 0
    ? principal
    : `${principal}, which is not known to be in ${groupsOf(unknownGroups).join(' or ')},`
}

function groupHint({ unknownGroups }: Invokers, setting: string): string {
  const [group] = unknownGroups
  return group === undefined ? '' : `; where it is in the group, write ${group}=MEMBER in ${setting}`
}

function groupsOf(names: ReadonlySet<string>): string[] {
  return [...names].slice(0, 3).map((name) => `group:${name}`)
}
