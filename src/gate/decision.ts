/** Cloud Run's decision about one request, from its head alone. */

import { isEmail, LONGEST_EMAIL } from '../core/accounts.ts'
import { asFailure, failure, type SidemintError } from '../core/errors.ts'
import type { Lines } from '../core/events.ts'
import { withoutSecrets } from '../core/secrets.ts'
import { adviseOn } from '../observe/audience-lint.ts'
import { acceptsAudience, isCallUrl } from './audience.ts'
import { type BearerToken, readCredential } from './credential.ts'
import { describeDifference } from './likeness.ts'
import { memberFor } from './lines.ts'
import { admits, type Invokers, type Principal } from './members.ts'
import type { Spelling } from './origin.ts'
import type { Claims, Verified, Verifier } from './verifier.ts'

export interface Rules {
  /** The server that prints tokens for this gate; absent: the one that commands ask by default. */
  server?: string | undefined
  audiences: readonly string[]
  gcloudAudiences: boolean
  /**
   * The email of a subject that this entry of `trust` gives, for tokens without an email: for Cloud Run `sub` is enough
   * (docs/gate.md, "Who may invoke"). Undefined where nothing says it.
   */
  emailOf(sub: string, trusted: string): string | undefined
  /** The entry of `trust` that `subject:` is for: another issuer may give the same subject to somebody else. */
  subjectsOf: string | undefined
  spell: Spelling
  /** Where a setting's whole line is written. */
  lineOf: Spelling
  /** The lines that let a member invoke the service: here and in production. */
  grant(member: string): Required<Lines>
  /** The line that says whose a subject is, with EMAIL in the email's place. */
  nameSubject(sub: string): string
}

export interface Decision {
  /** Why not; absent where the request may pass. */
  refusal?: SidemintError
  /** The request's token; absent where it has none, or where the service needs none. */
  credential?: BearerToken
  /** What the verified token says; absent where none was verified. */
  said?: Verified
  /** Whether everybody may call, so that no token was looked at. */
  isPublic: boolean
  /** Of the verified token; else empty. */
  audience: string
  principal: string
  /** What would let its account in; absent where it may call, or where nothing here would. */
  lines?: Lines
}

/**
 * In Cloud Run's order (docs/gate.md, "The decision"): a public service admits everybody; then no token is 403, a bad one
 * and one for another audience 401, a good one of somebody who may not invoke 403.
 */
export function decide(
  rawHeaders: readonly string[],
  rules: Rules,
  invokers: Invokers,
  verifier: Verifier,
): Decision | Promise<Decision> {
  const decision: Decision = { isPublic: invokers.everyone, audience: '', principal: '' }
  if (decision.isPublic) return decision
  const refuse = (thrown: unknown) => {
    decision.refusal = asFailure(thrown)
    return decision
  }
  try {
    decision.credential = readCredential(rawHeaders, rules.audiences[0], rules.server)
    const verified = verifier.verify(decision.credential.token, rules.spell)
    if (!(verified instanceof Promise)) return judge(decision, verified, rules, invokers)
    return verified.then((its) => judge(decision, its, rules, invokers)).catch(refuse)
  } catch (thrown) {
    return refuse(thrown)
  }
}

/** Throws the refusal of a token that is good by itself. */
function judge(decision: Decision, verified: Verified, rules: Rules, invokers: Invokers): Decision {
  const { claims } = verified
  decision.said = verified
  const principal = principalOf(verified, rules, invokers)
  decision.audience = describeAudience(claims.aud)
  decision.principal = principal.email ?? claims.sub
  if (!acceptsAudience(claims.aud, rules.audiences, rules.gcloudAudiences)) {
    const { audience } = decision
    const hint = audienceHint(audience, claims.aud, rules)
    const difference = differenceOf(audience, claims.aud, rules)
    throw failure('AUDIENCE_WRONG', { audience, difference, audiences: rules.audiences.join(', '), hint })
  }
  if (!admits(invokers, principal)) {
    const lines = linesFor(verified, principal, rules)
    if (lines !== undefined) decision.lines = lines
    throw notAnInvoker(verified, principal, lines, rules, invokers)
  }
  return decision
}

/** What else may be the remedy: the sender's own setting, or the gate's for an audience that may be meant. */
function audienceHint(audience: string, aud: unknown, { spell }: Rules): string {
  if (isCallUrl(audience)) return CALL_URL_HINT
  const mayBeMeant = typeof aud === 'string' && aud !== '' && adviseOn(aud, true) === undefined
  return mayBeMeant ? `; or let the gate take that one: ${spell('audience')}` : ''
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
  const derived = trusted === 'google' ? undefined : invokers.subjects.get(sub)
  const own = email === undefined ? (rules.emailOf(sub, trusted) ?? derived) : verified === true ? email : undefined
  if (typeof own !== 'string') return {}
  return { email: own.toLowerCase(), ...(typeof hd === 'string' ? { hostedDomain: hd.toLowerCase() } : {}) }
}

/** What would let the account in; undefined where nothing would. */
function linesFor({ claims, trusted }: Verified, { email }: Principal, rules: Rules): Lines | undefined {
  if (isNameless(claims, email)) {
    // A local issuer makes the subject from the email, so an invoker is recognised by it.
    const isGoogles = trusted === 'google' && trusted === rules.subjectsOf
    return isGoogles ? { here: rules.nameSubject(claims.sub) } : rules.grant('serviceAccount:EMAIL')
  }
  return email !== undefined && isEmail(email) ? rules.grant(memberFor(email)) : undefined
}

function isNameless(claims: Claims, email: string | undefined): boolean {
  return claims.email === undefined && email === undefined
}

function notAnInvoker(
  { claims, trusted }: Verified,
  { email }: Principal,
  lines: Lines | undefined,
  { spell, lineOf, nameSubject, subjectsOf }: Rules,
  invokers: Invokers,
): SidemintError {
  const { here = '', production } = lines ?? {}
  const sayWhose = `\`${nameSubject(claims.sub)}\` ${lineOf('subject')}`
  const mayBeNamed = isNameless(claims, email) && trusted === subjectsOf
  const fix = lines === undefined ? UNVERIFIED : `say whose it is: write ${sayWhose}`
  const values = {
    principal: describe(claims, email, invokers),
    here,
    where: lineOf('invoker'),
    production: production ?? '',
    hint: `${groupHint(invokers, spell('group'))}${mayBeNamed ? `; if no sidemint signed it, write ${sayWhose}` : ''}`,
  }
  return failure('NOT_AN_INVOKER', values, { fix: production === undefined ? fix : undefined })
}

const UNVERIFIED = 'ask for a token with an email that its issuer has verified (email_verified: true)'

function describe(claims: Claims, email: string | undefined, { unknownGroups }: Invokers): string {
  if (isNameless(claims, email)) return `the subject ${claims.sub}, whose token has no email (format=full asks for it),`
  if (email === undefined || email === '') return `${claims.sub}, whose email ${whyNoEmail(claims)},`
  return unknownGroups.size === 0
    ? email
    : `${email}, which is not known to be in ${groupsOf(unknownGroups).join(' or ')},`
}

/** Why the email of a token does not count. */
function whyNoEmail({ email, email_verified: verified }: Claims): string {
  if (email === '') return 'is empty'
  if (typeof email !== 'string') return 'is not a text'
  const why = verified === undefined ? 'it has no email_verified' : `its email_verified is ${JSON.stringify(verified)}`
  return `${email.slice(0, LONGEST_EMAIL)} is not verified${verified === false ? '' : ` (${why.slice(0, 200)})`}`
}

function groupHint({ unknownGroups }: Invokers, setting: string): string {
  const [group] = unknownGroups
  return group === undefined ? '' : `; where it is in the group, write ${group}=MEMBER in ${setting}`
}

function groupsOf(names: ReadonlySet<string>): string[] {
  return [...names].slice(0, 3).map((name) => `group:${name}`)
}

function describeAudience(aud: unknown): string {
  if (aud === '') return 'an empty audience'
  if (typeof aud === 'string') return withoutSecrets(aud)
  if (Array.isArray(aud)) return 'a list of audiences'
  return aud === undefined ? 'no audience' : 'an audience that is not a text'
}

/** How it differs from the service's, or why nobody can have meant it; empty where neither is known. */
function differenceOf(audience: string, aud: unknown, { audiences }: Rules): string {
  const why = describeDifference(audience, audiences) ?? (typeof aud === 'string' ? adviseOn(aud, true) : undefined)
  return why === undefined ? '' : `, which ${why}`
}
