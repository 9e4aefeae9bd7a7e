/** What is asked for and what is minted. Knows neither HTTP nor who mints. */

import { hash } from 'node:crypto'
import { parseJson } from './json.ts'

/** One token that somebody asks for. */
export type TokenRequest =
  | {
      kind: 'id'
      /** Email of the service account that the token is for; undefined: the credential's own account, whichever that is. */
      principal: string | undefined
      /** The `aud` claim, exactly as asked. */
      audience: string
      /** `full` adds `email` and `email_verified`. */
      format: 'standard' | 'full'
      /** Of a VM's token with `format=full`. Only the local source can put it there: nobody signs it for us. */
      instance?: InstanceClaim
      /** The `azp` claim is the account's email, not its number. Only the local source can do so: nobody asks Google for it. */
      useEmailAzp?: boolean
    }
  | {
      kind: 'access'
      principal: string | undefined
      /** OAuth scopes, sorted; empty: the principal's own. */
      scopes: readonly string[]
    }

/**
 * The claim `google.compute_engine`; a field is undefined where the tree has no such key
 * (cloud.google.com/compute/docs/instances/verifying-instance-identity#payload).
 */
export interface InstanceClaim {
  project_id: string | undefined
  project_number: number | undefined
  /** Without its path. */
  zone: string | undefined
  instance_id: string | undefined
  instance_name: string | undefined
  /** Epoch seconds. */
  instance_creation_timestamp: number
  /** With `licenses=TRUE`. */
  license_id: readonly string[] | undefined
}

export interface Token {
  /** The token itself. Never logged, never written down. */
  value: string
  /** Epoch ms after which receivers refuse it. */
  expiresAtMs: number
  /** A source says `mint`; the cache says `hit`, or `stale` where it could not get a fresh one. */
  served: 'mint' | 'hit' | 'stale'
  /** True the first time that a stored token is served from the cache. */
  first?: boolean
}

/** Answers requests for tokens: a credential, the local issuer, or the cache around either. */
export interface TokenSource {
  /** Throws a SidemintError. `signal` ends a mint that nobody waits for any more. */
  mint(request: TokenRequest, signal?: AbortSignal): Promise<Token>
}

/**
 * Every field of the request in one string. The free text comes last and nothing before it can contain a NUL, so two
 * requests never share a key. Without a principal that field is empty.
 */
export function cacheKey(request: TokenRequest): string {
  return request.kind === 'id'
    ? `id\0${request.principal ?? ''}\0${request.format}\0${request.useEmailAzp ?? false}\0${JSON.stringify(request.instance) ?? ''}\0${request.audience}`
    : `access\0${request.principal ?? ''}\0${request.scopes.join(' ')}`
}

/** What a `cacheKey` was made of; the scopes of an access token in one text. */
export function readCacheKey(key: string): { kind: string; principal: string; wanted: string } {
  const [kind = '', principal = '', ...others] = key.split('\0')
  return { kind, principal, wanted: others.slice(kind === 'id' ? 3 : 0).join('\0') }
}

/**
 * A JWT's name in events: the first 8 hex digits of SHA-256 over its head and payload. It gives nothing of the token
 * away, and is the same once a front door has replaced the signature.
 */
export function fingerprint(jwt: string): string {
  return hash('sha256', jwt.slice(0, jwt.lastIndexOf('.')), 'hex').slice(0, 8)
}

/** The claims of a JWT, unverified: for display and for `exp`. Undefined where it is not a JWT. */
export function readClaims(jwt: string): Record<string, unknown> | undefined {
  const claims = parseJson(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'))
  return claims as Record<string, unknown> | undefined
}
