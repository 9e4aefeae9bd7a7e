/** The lines that let a refused call in, for the page. */

import { audienceLine, bindingLine, listLine, memberFor, type Place, serviceName, yamlText } from '../gate/lines.ts'
import type { Check, Hop } from './rows.ts'

export type RefusedCall = Pick<Hop, 'caller' | 'service' | 'account' | 'token' | 'failed' | 'checks' | 'wants'>

export interface Fixes {
  /** For sidemint.yaml. */
  settings: string
  /** For a shell. */
  production: string
}

/** `accountOf`: the email of the identity that a caller has, where it has one. */
export function fixesFor(call: RefusedCall, place: Place, accountOf: (caller: string) => string | undefined): Fixes {
  const { caller, service, failed } = call
  // Of a token without email the account is a number, where nothing says whose it is.
  const known = (call.account.includes('@') && call.account) || call.token?.identity || accountOf(caller)
  const member = memberFor(known || accountFor(caller, place.project))
  const audience = failed === 'aud' ? claimOf(call, 'aud') : ''
  const production = audience === '' ? bindingLine(service, member, place) : audienceLine(service, audience, place)
  if (failed === 'token' && !known) return { settings: identityLine(caller, place.project), production }
  return { settings: `${settingLine(call, member)} # the gate of ${yamlText(service)}`, production }
}

function settingLine(call: RefusedCall, member: string): string {
  const { audiences = [], trust = [], invokers = [] } = call.wants ?? {}
  switch (call.failed) {
    case 'aud':
      return listLine('audience', audiences, claimOf(call, 'aud'))
    case 'iss':
      return listLine('trust', trust, claimOf(call, 'iss'))
    default:
      return listLine('invoker', invokers, member)
  }
}

export function identityLine(caller: string, project?: string): string {
  return `- { serviceAccount: ${yamlText(accountFor(caller, project))}, callers: [${yamlText(caller)}] } # under identities:`
}

function accountFor(caller: string, project = 'PROJECT'): string {
  return `${serviceName(caller)}@${project}.iam.gserviceaccount.com`
}

function claimOf({ checks }: RefusedCall, name: Check['claim']): string {
  return String(checks.find(({ claim }) => claim === name)?.value ?? '')
}
