/**
 * The developer's own Google credentials as a source. The library is loaded by the first mint; the file is read again
 * when it changes, so a login on the host heals a running server.
 */

import type { Token, TokenRequest, TokenSource } from '../core/token.ts'
import { type Credential, locateAdc, misplacedLogin, readAdc, refuseMisplacedLogin, versionOf } from './adc.ts'
import { BOUNDS, type Bounds } from './bounded.ts'
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

interface Loaded {
  credential: Credential
  minter: Minter
}

export function createGoogleSource(options: GoogleSourceOptions): GoogleSource {
  const { env, ownPrincipal, delegatesOf, allowUserTokens, onDate, now, bounds = BOUNDS } = options
  const place = locateAdc(env)
  let kept: { version: string; loading: Promise<Loaded> } | undefined

  async function version(): Promise<string> {
    const misplaced = misplacedLogin(env)
    const versions = [place.path, ...(misplaced === undefined ? [] : [misplaced])].map(versionOf)
    return (await Promise.all(versions)).join(', ')
  }

  /** Of this version of the file, read once for all who wait; a failure is not kept. */
  async function current(): Promise<Loaded> {
    const found = await version()
    if (kept?.version === found) return kept.loading
    const loading = load()
    kept = { version: found, loading }
    loading.catch(() => {
      if (kept?.loading === loading) kept = undefined
    })
    return loading
  }

  async function load(): Promise<Loaded> {
    await refuseMisplacedLogin(env)
    const { credential, quotaProject } = await readAdc(place)
    const { createMinter } = await import('./google/mint.ts')
    const project = env.GOOGLE_CLOUD_QUOTA_PROJECT || quotaProject
    const minter = createMinter({ credential, quotaProject: project, allowUserTokens, bounds, onDate, now })
    return { credential, minter }
  }

  return {
    version,
    async mint(request: TokenRequest, signal?: AbortSignal): Promise<Token> {
      const { credential, minter } = await current()
      const { principal } = request
      const own = principal === ownPrincipal || principal === emailOf(credential)
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
      return 'workload identity federation'
    case 'workforce':
      return 'workforce login'
    case 'impersonated':
      return `${describeCredential(credential.source)}, impersonating ${credential.email}`
    case 'gdch':
      return 'GDCH service account'
  }
}
