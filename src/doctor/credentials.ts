/** The credential file: which one, whether it can be read, and whether Google still takes it. */

import { asFailure } from '../core/errors.ts'
import { readClaims } from '../core/token.ts'
import { type Adc, type Credential, describeCredential, rootOf } from '../mint/adc.ts'
import { locateAdc, refuseMisplacedLogin } from '../mint/adc-place.ts'
import { readAdc } from '../mint/adc-read.ts'
import { BOUNDS } from '../mint/bounded.ts'
import type { Speaker } from '../mint/google/mint.ts'
import { universeOf } from '../mint/universe.ts'
import { type Finding, failed, ok } from './finding.ts'

export interface Credentials {
  findings: Finding[]
  /** Undefined where the file says nothing of use. */
  adc?: Adc
}

/** Reads the file and refreshes what is in it; a token that comes of that is thrown away. */
export async function checkCredentials(env: NodeJS.ProcessEnv): Promise<Credentials> {
  const place = locateAdc(env)
  let adc: Adc
  let universe: string
  try {
    await refuseMisplacedLogin(env)
    adc = await readAdc(place)
    universe = universeOf(adc.universe, env)
  } catch (error) {
    return { findings: [failed('ADC', asFailure(error))] }
  }
  const found = ok('ADC', `${describeCredential(adc.credential)} in ${place.name} (${place.why})`)
  return { adc, findings: [found, await refresh(rootOf(adc.credential), universe)] }
}

/**
 * The credential at the root: one that impersonates may lack the right to an access token, and needs none for ID
 * tokens.
 */
async function refresh(credential: Exclude<Credential, { kind: 'impersonated' }>, universe: string): Promise<Finding> {
  const check = 'refresh'
  const { createMinter } = await import('../mint/google/mint.ts')
  const { mint } = createMinter({
    credential,
    universe,
    quotaProject: undefined,
    allowUserTokens: true,
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
    return failed(check, asFailure(error))
  }

  /** A user's email is in no file, and only in an ID token where the login asked for one. */
  async function nameOf(): Promise<string> {
    if (credential.kind !== 'user') return credential.kind === 'key' ? credential.email : describeCredential(credential)
    try {
      const request = { kind: 'id', principal: '', audience: 'sidemint', format: 'full' } as const
      return String(readClaims((await mint(request, own)).value)?.email ?? 'a user')
    } catch {
      return 'a user'
    }
  }
}
