/** The developer's own Google credentials as a source. The library is loaded by the first mint. */

import { standardQuotaProject } from '../config/standard.ts'
import type { Token, TokenRequest, TokenSource } from '../core/token.ts'
import { type Adc, emailOf } from './adc.ts'
import { explainAt } from './adc-place.ts'
import { BOUNDS, type Bounds } from './bounded.ts'
import { type Credentials, createCredentials } from './credentials.ts'
import type { Minter, MinterOptions, Speaker } from './google/mint.ts'

export interface GoogleSourceOptions {
  /** Where the standard variables, the proxy's too, are read from. */
  env: NodeJS.ProcessEnv
  /** Default: those that `env` points to. */
  credentials?: Credentials
  /** The delegation chain to a principal. */
  delegatesOf: (principal: string) => readonly string[]
  settings: MinterOptions['settings']
  /** Called for every answer with Google's clock (its Date header), epoch ms. */
  onDate: (googleMs: number) => void
  /** Epoch ms. */
  now: () => number
  bounds?: Bounds
  /** What makes the minter of credentials. Default: the one that asks Google, loaded by the first mint. */
  loadMinter?: LoadMinter
}

export type LoadMinter = (options: MinterOptions) => Promise<Minter>

export interface GoogleSource extends TokenSource {
  /**
   * Makes ready what the first mint for one of these principals needs: Google's library, connections, the credential's
   * access token. Nothing while the credentials cannot be read. Throws as `mint` does.
   */
  warm(principals: readonly (string | undefined)[], signal: AbortSignal): Promise<void>
}

export function createGoogleSource(options: GoogleSourceOptions): GoogleSource {
  const { env, delegatesOf, now, credentials = createCredentials(env, now) } = options
  const minterOf = createMinters(options)

  /**
   * Does not look whether the file has changed: the cache does, before each mint, and drops the old tokens. A mint that
   * looked by itself could give an identity the token of another account.
   */
  async function inForce(): Promise<Adc> {
    if (credentials.adc() === undefined) await credentials.look()
    const broken = credentials.broken()
    if (broken !== undefined) throw broken
    return credentials.adc() as Adc
  }

  function speakerOf(principal: string | undefined, { credential }: Adc): Speaker {
    return principal === undefined || principal === emailOf(credential)
      ? { own: true }
      : { own: false, principal, delegates: delegatesOf(principal) }
  }

  function explain(thrown: unknown): never {
    throw explainAt(credentials.place, thrown)
  }

  return {
    async mint(request: TokenRequest, signal?: AbortSignal): Promise<Token> {
      const adc = await inForce()
      const minter = await minterOf(adc)
      return minter.mint(request, speakerOf(request.principal, adc), signal).catch(explain)
    },
    async warm(principals, signal) {
      const adc = credentials.adc()
      if (adc === undefined || credentials.broken() !== undefined) return
      const minter = await minterOf(adc)
      // All whom the credential impersonates need the same of it.
      const speakers = Map.groupBy(
        principals.map((principal) => speakerOf(principal, adc)),
        ({ own }) => own,
      )
      const firsts = [...speakers.values()].flatMap((alike) => alike.slice(0, 1))
      await Promise.all(firsts.map((speaker) => minter.warm(speaker, signal))).catch(explain)
    },
  }
}

/** What answers the minter of credentials: the same one while they are the same. */
function createMinters(options: GoogleSourceOptions): (adc: Adc) => Promise<Minter> {
  const { env, bounds = BOUNDS, loadMinter = askGoogle } = options
  const named = standardQuotaProject(env)
  let kept: { adc: Adc; minter: Promise<Minter> } | undefined

  function load({ credential, quotaProject, universe }: Adc): Promise<Minter> {
    return loadMinter({ ...options, bounds, credential, universe, quotaProject: named ?? quotaProject })
  }

  return (adc) => {
    if (kept?.adc !== adc) kept = { adc, minter: load(adc) }
    return kept.minter
  }
}

async function askGoogle(options: MinterOptions): Promise<Minter> {
  const { createMinter } = await import('./google/mint.ts')
  return createMinter(options)
}
