/**
 * The developer's own Google credentials as a source. The library is loaded by the first mint; the file is read again
 * when it changes, so a login on the host heals a running server.
 */

import { type Adc, type Credential, locateAdc, misplacedLogin, readAdc, versionOf } from '../adc.ts'
import { failure } from '../errors.ts'
import type { Token, TokenRequest, TokenSource } from '../token.ts'
import type { Bounds } from './bounded.ts'
import type { Minter } from './google/mint.ts'

export interface GoogleSourceOptions {
  /** Where the standard variables are read from. */
  env: NodeJS.ProcessEnv
  /** The principal that stands for the credential itself. */
  ownPrincipal: string
  /** The delegation chain to a principal. */
  delegatesOf: (principal: string) => readonly string[]
  allowUserTokens: boolean
  /** Hears Google's clock, epoch ms, with every answer. */
  onDate: (googleMs: number) => void
  /** Epoch ms. */
  now: () => number
  bounds?: Bounds
}

export interface GoogleSource extends TokenSource {
  /** The version of the credential file: another text, another file. */
  version(): Promise<string>
}

export function createGoogleSource(options: GoogleSourceOptions): GoogleSource {
  const { env, ownPrincipal, delegatesOf } = options
  const place = locateAdc(env)
  let kept: { version: string; adc: Adc; minter: Minter } | undefined

  const version = () => versionOf(place.path)

  async function current(): Promise<{ adc: Adc; minter: Minter }> {
    const found = await version()
    if (kept?.version === found) return kept
    await refuseMisplacedLogin(env)
    const adc = await readAdc(place)
    const { createMinter } = await import('./google/mint.ts')
    const quotaProject = env.GOOGLE_CLOUD_QUOTA_PROJECT
    kept = { version: found, adc, minter: createMinter({ ...options, adc, quotaProject }) }
    return kept
  }

  return {
    version,
    async mint(request: TokenRequest, signal?: AbortSignal): Promise<Token> {
      const { adc, minter } = await current()
      const { principal } = request
      const own = principal === ownPrincipal || principal === emailOf(adc.credential)
      return minter.mint(request, own ? { own } : { own, principal, delegates: delegatesOf(principal) }, signal)
    },
  }
}

/** The account that a credential is by itself; a user's email is not in the file. */
export function emailOf(credential: Credential): string | undefined {
  return 'email' in credential ? credential.email : undefined
}

/** What a credential is, for the banner. */
export function describeCredential(credential: Credential): string {
  switch (credential.kind) {
    case 'key':
      return `service account key of ${credential.email}`
    case 'user':
      return 'user login'
    case 'federated':
      return credential.json.type === 'external_account' ? 'workload identity federation' : 'workforce login'
    case 'impersonated':
      return `${describeCredential(credential.source)}, impersonating ${credential.email}`
    case 'gdch':
      return 'GDCH service account'
  }
}

/** Throws LOGIN_MISPLACED. */
export async function refuseMisplacedLogin(env: NodeJS.ProcessEnv): Promise<void> {
  const path = misplacedLogin(env)
  if (path !== undefined && !(await versionOf(path)).startsWith('E')) throw failure('LOGIN_MISPLACED', { path })
}
