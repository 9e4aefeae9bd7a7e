/** Cloud Run's decision about one request, from its head alone. */

import { asFailure, failure, type SidemintError } from '../core/errors.ts'
import { acceptsAudience } from './audience.ts'
import { type Credential, readCredential } from './credential.ts'
import { admits, type Invokers, type Principal } from './members.ts'
import type { Claims, Verifier } from './verifier.ts'

export interface Rules {
  audiences: readonly string[]
  gcloudAudiences: boolean
  /**
   * Email by the subject of tokens that carry none: `sub` is enough for Cloud Run, which knows all accounts. The
   * subjects of local issuers need not be here.
   */
  subjects: Readonly<Record<string, string>>
}

export interface Decision {
  /** Why not; absent where the request may pass. */
  refusal?: SidemintError
  /** The token that was read; absent where none was, or where nobody asks for one. */
  credential?: Credential
  /** Of the verified token, else empty. */
  audience: string
  principal: string
}

/**
 * In Cloud Run's order: a public service takes all; then no token is 403, a bad one and one for another audience
 * 401, a good one of somebody who may not invoke 403.
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
    const claims = await verifier.verify(decision.credential.token)
    const principal = principalOf(claims, rules.subjects, invokers)
    decision.audience = typeof claims.aud === 'string' ? claims.aud : 'a list of audiences'
    decision.principal = principal.email ?? claims.sub
    if (!acceptsAudience(claims.aud, rules.audiences, rules.gcloudAudiences)) {
      throw failure('AUDIENCE_WRONG', { audience: decision.audience, audiences: rules.audiences.join(', ') })
    }
    if (!admits(invokers, principal))
      throw failure('NOT_AN_INVOKER', { principal: describe(decision.principal, claims) })
  } catch (error) {
    decision.refusal = asFailure(error)
  }
  return decision
}

/** An email counts only where its issuer says that it is verified. */
function principalOf(claims: Claims, subjects: Rules['subjects'], invokers: Invokers): Principal {
  const claimed = claims.email_verified === true ? claims.email : undefined
  const email = claims.email === undefined ? (subjects[claims.sub] ?? invokers.subjects.get(claims.sub)) : claimed
  return {
    ...(typeof email === 'string' ? { email: email.toLowerCase() } : {}),
    ...(typeof claims.hd === 'string' ? { hostedDomain: claims.hd.toLowerCase() } : {}),
  }
}

function describe(principal: string, claims: Claims): string {
  if (claims.email === undefined && principal === claims.sub) {
    return `the subject ${principal}, whose token has no email (say whose it is with --subject ${principal}=EMAIL),`
  }
  return claims.email_verified === true || claims.email === undefined
    ? principal
    : `${principal}, whose email is not verified,`
}
