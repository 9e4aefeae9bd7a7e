/** The credential file: which one, whether it can be read, and whether Google still takes it. */

import { type Adc, type Credential, locateAdc, readAdc } from '../adc.ts'
import { asFailure } from '../errors.ts'
import type { Route } from '../sources/google/mint.ts'
import { describeCredential, refuseMisplacedLogin } from '../sources/google.ts'
import { readClaims } from '../token.ts'
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
  try {
    await refuseMisplacedLogin(env)
    adc = await readAdc(place)
  } catch (error) {
    return { findings: [failed('ADC', asFailure(error))] }
  }
  const found = ok('ADC', `${describeCredential(adc.credential)} in ${place.path} (${place.why})`)
  return { adc, findings: [found, await refresh(adc, env)] }
}

/**
 * The credential at the root: one that impersonates may lack the right to an access token, and needs none for ID
 * tokens.
 */
async function refresh(adc: Adc, env: NodeJS.ProcessEnv): Promise<Finding> {
  const check = 'refresh'
  const credential = rootOf(adc.credential)
  const { createMinter } = await import('../sources/google/mint.ts')
  const { mint } = createMinter({
    adc: { ...adc, credential },
    quotaProject: env.GOOGLE_CLOUD_QUOTA_PROJECT,
    allowUserTokens: true,
    onDate: () => {},
    now: Date.now,
  })
  const own: Route = { own: true }
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

function rootOf(credential: Credential): Exclude<Credential, { kind: 'impersonated' }> {
  return credential.kind === 'impersonated' ? rootOf(credential.source) : credential
}
