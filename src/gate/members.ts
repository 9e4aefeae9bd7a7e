/** Who may invoke: IAM's members and written-out groups, as sets. */

import { EMAIL, isEmail } from '../core/accounts.ts'
import { asFailure, failure, type SidemintError } from '../core/errors.ts'
import { plainly, suggest } from '../core/schemas.ts'
import { accountId } from '../issuer/account-id.ts'

/** Everybody whom a list of members admits. Emails and domains are in lower case. */
export interface Invokers {
  /** `allUsers`: no token is needed. */
  everyone: boolean
  /** `allAuthenticatedUsers`: any valid token is enough. */
  authenticated: boolean
  emails: Set<string>
  /** Emails of service accounts by the subject that a local issuer gives them: a token may have no email. */
  subjects: Map<string, string>
  domains: Set<string>
  /** Groups whose members are not set: nobody is in them. */
  unknownGroups: Set<string>
  /** Members that never appear in an ID token: they admit nobody. */
  unnamable: Set<string>
}

/** Who a verified token is for. */
export interface Principal {
  /** In lower case; absent where the token has none that its issuer has verified. */
  email?: string
  /** The Google Workspace domain of a user. */
  hostedDomain?: string
}

/**
 * Principals of workload and workforce pools, and Kubernetes accounts: only users and service accounts have Google ID
 * tokens (docs/gate.md, "Who may invoke").
 */
const UNNAMABLE = /^(principal(Set)?:\/\/|serviceAccount:[^@]+\.svc\.id\.goog\[)/

/** What a member may be, as a pattern for the JSON Schema, which cannot call `whyUnusable`. */
export const MEMBER = [
  'allUsers|allAuthenticatedUsers|deleted:.*',
  `${UNNAMABLE.source.slice(1)}.*`,
  'domain:[^@\\s:]+\\.[^@\\s:]+',
  `(?:user:(?!.*\\.gserviceaccount\\.com$)|serviceAccount:|group:)${EMAIL}`,
].join('|')

/** `groups`: members by the group's email. Throws MEMBER_UNUSABLE. */
export function createInvokers(
  members: readonly string[],
  groups: Readonly<Record<string, readonly string[]>> = {},
): Invokers {
  const byGroup = new Map(Object.entries(groups).map(([group, list]) => [group.toLowerCase(), list]))
  const opened = new Set<string>()
  const invokers: Invokers = {
    everyone: false,
    authenticated: false,
    emails: new Set(),
    subjects: new Map(),
    domains: new Set(),
    unknownGroups: new Set(),
    unnamable: new Set(),
  }

  function add(member: string): void {
    if (member === 'allUsers') invokers.everyone = true
    else if (member === 'allAuthenticatedUsers') invokers.authenticated = true
    else if (UNNAMABLE.test(member)) invokers.unnamable.add(member)
    else {
      const { kind, name } = parse(member)
      if (kind === 'domain') invokers.domains.add(name)
      else if (kind === 'group') open(name)
      else if (kind !== 'deleted') invokers.emails.add(name)
      if (kind === 'serviceAccount') invokers.subjects.set(accountId(name), name)
    }
  }

  function open(group: string): void {
    const list = byGroup.get(group)
    if (!list) invokers.unknownGroups.add(group)
    if (!list || opened.has(group)) return
    opened.add(group)
    for (const member of list) {
      refuseInGroup(group, member)
      add(member)
    }
  }

  for (const member of members) add(member)
  return invokers
}

export function admits(invokers: Invokers, { email, hostedDomain }: Principal): boolean {
  if (invokers.everyone || invokers.authenticated) return true
  if (email === undefined) return false
  return invokers.emails.has(email) || invokers.domains.has(hostedDomain ?? email.slice(email.lastIndexOf('@') + 1))
}

/** What is wrong with a member, or undefined. */
export const whyUnusable = (member: string) => complaint(() => createInvokers([member]))

/** What is wrong with a member of a group, or undefined. */
export const whyNotInGroup = (group: string, member: string) =>
  complaint(() => {
    refuseInGroup(group, member)
    createInvokers([member])
  })

function complaint(read: () => void): SidemintError | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    return asFailure(error)
  }
}

function refuseInGroup(group: string, member: string): void {
  if (/^all(Authenticated)?Users$/.test(member)) throw unusable(member, `it cannot be in the group ${group}`)
}

type Kind = 'user' | 'serviceAccount' | 'group' | 'domain' | 'deleted'

function parse(member: string): { kind: Kind; name: string } {
  const colon = member.indexOf(':')
  const kind = colon < 0 ? member : member.slice(0, colon)
  const name = member.slice(kind.length + 1).toLowerCase()
  switch (kind) {
    // IAM keeps the bindings of deleted accounts under this prefix; they admit nobody.
    case 'deleted':
      return { kind, name }
    case 'domain':
      if (!/^[^@\s:]+\.[^@\s:]+$/.test(name)) throw unusable(member, 'it names no domain')
      return { kind, name }
    case 'user':
    case 'serviceAccount':
    case 'group':
      if (!isEmail(name)) throw unusable(member, 'it names no email')
      if (kind === 'user' && name.endsWith('.gserviceaccount.com')) {
        throw unusable(member, `IAM wants serviceAccount:${name}`)
      }
      return { kind, name }
    default:
      throw unusable(
        member,
        kind === member ? `it has no kind before it${guess(member)}` : `the kind ${plainly(kind)}: is not known`,
      )
  }
}

function guess(member: string): string {
  const email = member.toLowerCase()
  if (!isEmail(email)) return suggest(member, ['allUsers', 'allAuthenticatedUsers'])
  return ` (did you mean ${email.endsWith('.gserviceaccount.com') ? 'serviceAccount' : 'user'}:${plainly(email)}?)`
}

function unusable(member: string, reason: string) {
  return failure('MEMBER_UNUSABLE', { member: plainly(member), reason })
}
