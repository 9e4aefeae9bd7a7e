/** A real metadata server as a source, for a sidemint that runs on Google's machines. */

import { standardQuotaProject } from '../config/standard.ts'
import { failure } from '../core/errors.ts'
import type { Token, TokenRequest, TokenSource } from '../core/token.ts'
import { BOUNDS, type Bounds, bounded, OutOfTime } from './bounded.ts'
import type { Minter, MinterOptions } from './google/mint.ts'
import { createMetadataClient } from './metadata-client.ts'
import { universeOf } from './universe.ts'

export interface MetadataSourceOptions {
  /** Where the standard variables are read from. */
  env: NodeJS.ProcessEnv
  settings: MinterOptions['settings']
  /** Host and port. */
  host: string
  /** The delegation chain to a principal; every account but the machine's own is impersonated. */
  delegatesOf: (principal: string) => readonly string[]
  /** Called for every answer with the server's clock (its Date header), epoch ms. */
  onDate: (serverMs: number) => void
  /** Epoch ms. */
  now: () => number
  bounds?: Bounds
}

export interface MetadataSource extends TokenSource {
  /** The machine's own account; undefined where the server does not answer within a second. */
  email(): Promise<string | undefined>
}

export function createMetadataSource(options: MetadataSourceOptions): MetadataSource {
  const { env, host, delegatesOf, onDate, now, bounds = BOUNDS } = options
  const quotaProject = standardQuotaProject(env)
  const { idToken, accessToken, email, holder } = createMetadataClient({ host, bounds, onDate, now })
  let minter: Promise<Minter> | undefined

  /** Google's library is loaded by the first impersonation. */
  async function createImpersonator(): Promise<Minter> {
    const { createMinter } = await import('./google/mint.ts')
    const client = {
      accessToken: (scopes: readonly string[]) => bounded(bounds, undefined, (total) => accessToken(scopes, total)),
      holder,
    }
    return createMinter({
      ...options,
      credential: { kind: 'machine', client },
      universe: universeOf(undefined, env),
      quotaProject,
      bounds,
    })
  }

  return {
    email,
    async mint(asked: TokenRequest, closing?: AbortSignal): Promise<Token> {
      const { principal } = asked
      if (principal !== undefined && principal !== (await email())) {
        minter ??= createImpersonator()
        return (await minter).mint(asked, { own: false, principal, delegates: delegatesOf(principal) }, closing)
      }
      return bounded(bounds, closing, (total) =>
        asked.kind === 'id' ? idToken(asked.audience, asked.format, total) : accessToken(asked.scopes, total),
      ).catch((thrown: unknown) => {
        throw thrown instanceof OutOfTime ? failure('UPSTREAM_TIMEOUT', { host, way: 'without a proxy' }) : thrown
      })
    },
  }
}
