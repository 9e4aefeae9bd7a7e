/** What a user should know at the start, each with what to type: the server runs, but perhaps not as they expect. */

import { CATALOGUE, withFix } from '../core/errors.ts'
import { isPersonal } from '../mint/adc.ts'
import { explainGcloudLogin } from '../mint/gcloud-login.ts'
import type { Identity } from './identity.ts'
import type { Minting } from './minting.ts'

export interface AdviceOptions {
  minting: Minting
  /** Where the standard variables are read from. */
  env: NodeJS.ProcessEnv
  /** Whether the local source was asked for. */
  isLocalAsked: boolean
  allowUserTokens: boolean
  identities: readonly Identity[]
  /** The project that we made up; undefined where something names one. */
  inventedProject: string | undefined
}

export function advise(options: AdviceOptions): string[] {
  const { minting, env, isLocalAsked, inventedProject } = options
  const { choice, credentials } = minting
  const isMissing = credentials?.place.isGcloudFile && credentials.broken()?.code === 'CREDENTIALS_MISSING'
  const login = isMissing || (choice.name === 'local' && !isLocalAsked) ? explainGcloudLogin(env) : undefined
  return [
    ...(login === undefined ? [] : [withFix(login)]),
    ...(isUserAlone(options)
      ? [
          `a user login alone cannot mint ID tokens: no account to impersonate is set. Fix: ${CATALOGUE.USER_TOKEN_AUDIENCE.fix}`,
        ]
      : []),
    ...(inventedProject === undefined || choice.name === 'local'
      ? []
      : [`nothing names a project, so ${inventedProject} is shown. Fix: --project ID, or GOOGLE_CLOUD_PROJECT=ID`]),
  ]
}

/** Its tokens would be refused, and nobody would know before the first request. */
function isUserAlone({ minting, allowUserTokens, identities }: AdviceOptions): boolean {
  const adc = minting.credentials?.adc()
  const isOwn = identities.some(({ principal }) => principal === undefined)
  return isOwn && !allowUserTokens && adc !== undefined && isPersonal(adc.credential)
}
