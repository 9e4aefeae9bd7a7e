/** What a user should know at the start, each with what to type: the server runs, but perhaps not as they expect. */

import { CATALOGUE, withFix } from '../core/errors.ts'
import { describeCredential, isPersonal } from '../mint/adc.ts'
import { explainGcloudLogin } from '../mint/gcloud-login.ts'
import type { Identity } from './identity.ts'
import type { Minting } from './minting.ts'

export interface AdviceOptions {
  minting: Minting
  /** Where the standard variables are read from. */
  env: NodeJS.ProcessEnv
  /** Whether the local source was asked for. */
  isLocalAsked: boolean
  /** A person's login that an identity stands for, and whose tokens are not given out: `findOwnLogin`. */
  refusedLogin: string | undefined
  /** The project that we made up; undefined where something names one. */
  inventedProject: string | undefined
}

export function advise(options: AdviceOptions): string[] {
  const { minting, env, isLocalAsked, refusedLogin, inventedProject } = options
  const { choice, credentials } = minting
  const isMissing = credentials?.place.isGcloudFile && credentials.broken()?.code === 'CREDENTIALS_MISSING'
  const login = isMissing || (choice.name === 'local' && !isLocalAsked) ? explainGcloudLogin(env) : undefined
  return [
    ...(login === undefined ? [] : [withFix(login)]),
    // Nobody would know before the first request.
    ...(refusedLogin === undefined
      ? []
      : [
          `a ${refusedLogin} alone cannot mint ID tokens: no account to impersonate is set. Fix: ${CATALOGUE.USER_TOKEN_AUDIENCE.fix}`,
        ]),
    ...(inventedProject === undefined || choice.name === 'local'
      ? []
      : [`nothing names a project, so ${inventedProject} is shown. Fix: --project ID, or GOOGLE_CLOUD_PROJECT=ID`]),
  ]
}

/** What whoever starts a server with --allow-user-tokens should know. */
export function servedAsIs(login: string): string {
  return `a ${login} is served as it is (--allow-user-tokens): whoever can reach this server gets all rights of that user`
}

/** The login, in words, where an identity is a person's own; undefined where each is an account. */
export function findOwnLogin({ credentials }: Minting, identities: readonly Identity[]): string | undefined {
  const credential = credentials?.adc()?.credential
  const isOwn = identities.some(({ principal }) => principal === undefined)
  return isOwn && credential !== undefined && isPersonal(credential) ? describeCredential(credential) : undefined
}
