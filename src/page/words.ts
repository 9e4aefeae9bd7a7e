/** What happened and what to do about it, in words and in lines to copy. */

import { GOOGLE_ISSUER, METADATA_VARIABLES } from '../core/google.ts'
import { serviceName, yamlText } from '../gate/lines.ts'
import type { Check, Hop, Step } from '../inspector/rows.ts'
import type { Entry } from './entries.ts'
import { isServer } from './entries.ts'
import type { Data, State } from './store.ts'

export function clock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB')
}

export function ago(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000))
  if (seconds < 2) return 'just now'
  if (seconds < 100) return `${seconds} s ago`
  if (seconds < 6_000) return `${Math.round(seconds / 60)} min ago`
  return `${Math.round(seconds / 3_600)} h ago`
}

export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}

export function shellLine(server: string): string {
  return `eval "$(sidemint env --server ${server})"`
}

export function tokenLine(server: string): string {
  return `sidemint token --server ${server} --audience http://billing:8080`
}

/** For an IDE. `address`: host and port. */
export function variablesLine(address: string): string {
  const pointers = METADATA_VARIABLES.map((name) => `${name}=${address}`)
  return [...pointers, 'METADATA_SERVER_DETECTION=assume-present'].join(';')
}

/** What stands above all views. */
export function summary(services: number, { calls, refused }: Data, entries: readonly Entry[]): string {
  const last = entries.find((entry) => entry.hop?.decision === 'refuse')
  const which = last === undefined ? '' : `: ${last.caller} → ${last.service} ${last.code}`
  return `${counted(services, 'service')}, ${counted(calls, 'call')}, ${refused} refused${refused === 0 ? '' : which}`
}

export function minter(state: State | undefined): string {
  if (state === undefined) return 'connecting…'
  if (!isServer(state)) return 'a gate: mints no tokens'
  if (state.source === 'local') return 'local tokens'
  const who = state.identities.find(({ isDefault }) => isDefault)?.email
  return `real tokens by ${who ?? (state.login !== null && 'about' in state.login ? state.login.about : 'your login')}`
}

const STEPS: Record<Step, string> = {
  token: 'a token must come with the call, and be readable',
  iss: 'the token must be of an issuer that the gate trusts',
  exp: 'the token must not have expired',
  aud: 'the token must be for an audience of this service',
  email: 'the account must be an invoker of this service',
}

export function failedStep({ failed, code }: Hop): string {
  return failed === undefined ? code : `the check “${failed}”: ${STEPS[failed]}`
}

/** What the gate wants of a claim. */
export function wanted({ wants, at }: Hop, claim: Check['claim']): string {
  if (claim === 'exp') return `later than ${new Date(at).toISOString()}`
  if (wants === undefined) return ''
  if (claim === 'iss') return wants.trust.map((one) => (one === 'google' ? GOOGLE_ISSUER : one)).join(', ')
  if (claim === 'aud') return [...wants.audiences, ...(wants.gcloudAudiences ? ['gcloud’s own'] : [])].join(', ')
  return wants.invokers.join(', ') || 'an invoker of its policy file'
}

/** Whether the caller asked for a token that this service takes. */
export function askedFor({ caller, service, hop }: Entry, now: number): string {
  const audiences = hop?.wants?.audiences.join(' or ') ?? service
  if (hop?.askedAt === undefined) return `${caller} never got a token for ${audiences} here`
  return `${caller} last got a token for ${audiences} ${ago(hop.askedAt, now)}, at ${clock(hop.askedAt)}`
}

/** The entry of sidemint.yaml that gives a caller an account. */
export function identityLine(caller: string, project = 'PROJECT'): string {
  const account = `${serviceName(caller)}@${project}.iam.gserviceaccount.com`
  return `- { serviceAccount: ${yamlText(account)}, callers: [${yamlText(caller)}] } # under identities:`
}

/** A row as text. */
export function asText({ lastAt, count, caller, service, what, status, code, hop, asked }: Entry): string {
  const times = count === 1 ? '' : ` ×${count}`
  const reason = hop?.reason || hop?.cut?.reason || asked?.reason || ''
  const to = hop === undefined ? '' : ` → ${service}`
  const line = `${clock(lastAt)} ${caller}${to}  ${what}  ${status ?? ''} ${code}${times}`
  return reason === '' ? line : `${line}\n${reason}`
}
