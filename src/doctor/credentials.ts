/** The credential file: which one it is, whether it can be read, and whether Google still accepts it. */

import type { Settings } from '../config/settings.ts'
import { asFailure } from '../core/errors.ts'
import { readClaims } from '../core/token.ts'
import {
  type Adc,
  type Credential,
  describeAdc,
  describeCredential,
  emailOf,
  isGoogleLogin,
  rootOf,
} from '../mint/adc.ts'
import { type AdcPlace, explainAt, locateAdc, refuseMisplacedLogin } from '../mint/adc-place.ts'
import { readAdc } from '../mint/adc-read.ts'
import { BOUNDS } from '../mint/bounded.ts'
import type { Speaker } from '../mint/google/mint.ts'
import { universeOf } from '../mint/universe.ts'
import { type Finding, failed, ok } from './finding.ts'

export interface CredentialFile {
  place: AdcPlace
  /** The finding about the file itself. */
  finding: Finding
  /** Undefined where the file is unusable. */
  adc?: Adc
  /** Whose hosts the credential is sent to. */
  universe: string
}

/** Reads the file, without a call to Google. */
export async function readCredentials(env: NodeJS.ProcessEnv): Promise<CredentialFile> {
  const place = locateAdc(env)
  try {
    await refuseMisplacedLogin(env)
    const adc = await readAdc(place)
    const universe = universeOf(adc.universe, env)
    const finding = ok('ADC', `${describeAdc({ ...adc, universe })} in ${place.name} (${place.why})`)
    return { place, adc, universe, finding }
  } catch (error) {
    return { place, universe: universeOf(undefined, env), finding: failed('ADC', asFailure(error)) }
  }
}

/** Gets an access token with the credential, and throws it away. */
export async function checkRefresh(
  file: CredentialFile,
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<Finding[]> {
  return file.adc === undefined ? [] : [await refresh(file, rootOf(file.adc.credential), settings, env)]
}

/**
 * Asks with the credential at the end of the chain: an impersonated account may lack the permission for access tokens,
 * which ID tokens do not need.
 */
async function refresh(
  { place, universe }: CredentialFile,
  credential: Exclude<Credential, { kind: 'impersonated' }>,
  settings: Settings,
  env: NodeJS.ProcessEnv,
): Promise<Finding> {
  const check = 'refresh'
  const { createMinter } = await import('../mint/google/mint.ts')
  const { mint } = createMinter({
    env,
    credential,
    universe,
    quotaProject: undefined,
    settings: { ...settings, allowUserTokens: true },
    bounds: BOUNDS,
    onDate: () => {},
    now: Date.now,
  })
  const own: Speaker = { own: true }
  const startedAtMs = Date.now()
  try {
    await mint({ kind: 'access', principal: '', scopes: [] }, own)
    const tookMs = Date.now() - startedAtMs
    return ok(check, `Google takes it as ${await nameOf()}, in ${tookMs} ms`)
  } catch (error) {
    return failed(check, asFailure(explainAt(place, error)))
  }

  /** A user's email is not in the file; it is in an ID token, where the login asked for one. */
  async function nameOf(): Promise<string> {
    if (!isGoogleLogin(credential)) return emailOf(credential) ?? describeCredential(credential)
    try {
      const request = { kind: 'id', principal: '', audience: 'sidemint', format: 'full' } as const
      return String(readClaims((await mint(request, own)).value)?.email ?? 'a user')
    } catch {
      return 'a user'
    }
  }
}
