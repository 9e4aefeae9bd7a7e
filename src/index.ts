/** The library: a metadata server inside a test suite. */

import { rmSync } from 'node:fs'
import { invalid, settle } from './config/layers.ts'
import { issueOptions, readFailNext, readIssue } from './control/asked.ts'
import { createClientEnv } from './env/client.ts'
import { makeTemporaryDirectory } from './env/directory.ts'
import { applyVariables, withdrawVariables } from './env/process.ts'
import { startServer } from './server.ts'

/** Values for the metadata tree, by Google's key names; null removes a key. */
export type MetadataOverlay = {
  readonly [key: string]:
    | string
    | number
    | bigint
    | boolean
    | null
    | readonly (string | number | bigint | boolean)[]
    | MetadataOverlay
    | readonly MetadataOverlay[]
}

/** One service's own account. Without callers, hosts and port it is for everybody else. */
export interface IdentityOptions {
  serviceAccount: string
  /** Compose services, containers, addresses or CIDRs. */
  callers?: string[] | undefined
  /** Host names under which this identity is asked for. */
  hosts?: string[] | undefined
  /** A listener that always means this identity; 0 takes a free port. */
  port?: number | undefined
  /** Further accounts that it may name by path. */
  accounts?: string[] | undefined
  /** With Google credentials: the delegation chain to `serviceAccount`. */
  delegates?: string[] | undefined
}

/** The settings of the command line in camelCase, and the clock. */
export interface StartOptions {
  /** Default: 127.0.0.1. */
  host?: string
  /** Default: 0, a free one. */
  port?: number
  /** Who mints: `local` (the default here), `auto`, `google`, `metadata` or `metadata=HOST`. */
  source?: string
  /** The default identity's email. Default: `default@PROJECT.iam.gserviceaccount.com`. */
  serviceAccount?: string
  /** Mint as the last of these with Google credentials; the others are the delegates. */
  impersonateServiceAccount?: string[]
  /** Default: `sidemint-local`. */
  project?: string
  /** Digits. */
  projectNumber?: string | number | bigint
  /** Default: `us-central1`. */
  region?: string
  zone?: string
  /** Which tree is shown. Default: `cloud-run`. */
  platform?: 'gce' | 'cloud-run'
  /** Audiences that may be asked for; `*` is any run of characters. Default: any. */
  allowAudience?: string[]
  /** Further Host names that are answered. */
  allowHost?: string[]
  /** Serve a user login's own tokens. Default: false. */
  allowUserTokens?: boolean
  /** The `iss` claim. Default: the server's own URL. */
  issuer?: string
  /** Keep the signing key in this file. Default: a new one in memory. */
  keyFile?: string
  /**
   * Answer as Google's key hosts too, over TLS, and sign as Google: for receivers that verify with Google's own
   * libraries. They mount this directory, which is made and holds the certificate.
   */
  standIn?: string
  /** The port of Google's key hosts. Default: 0, a free one; clients know 443 only. */
  standInPort?: number
  /** How many tokens are kept at most. Default: 10,000. */
  cacheEntries?: number
  /** Which callers get which service account. Callers are recognised by their address. */
  identities?: IdentityOptions[]
  /** Replaces values of the metadata tree. */
  metadata?: MetadataOverlay
  /** The clock in epoch ms. Default: the wall clock. */
  now?: () => number
}

/** A request for a token that the server answered. */
export interface RecordedRequest {
  /** Epoch ms. */
  at: number
  kind: 'id' | 'access'
  /** Empty for an access token. */
  audience: string
  /** Empty for an ID token. */
  scopes: readonly string[]
  /** Email of the token's account. */
  identity: string
  /** Who asked: an address. */
  caller: string
  /** `mint` for the request that caused one; those who waited for the same mint are hits. */
  result: 'hit' | 'mint' | 'stale' | 'error'
  /** HTTP status. */
  status: number
}

/** A token of a service account, or of a person: a person's has gcloud's claims and gcloud's audience. */
export type IssueTokenOptions = ClaimOptions &
  (
    | {
        /** The `aud` claim. */
        audience: string
        /** The token's account. Default: the server's own service account. */
        serviceAccount?: string
        user?: never
      }
    | {
        /** Email of the person. */
        user: string
        audience?: never
        serviceAccount?: never
      }
  )

export interface ClaimOptions {
  /** Replaces claims; undefined removes one. */
  claims?: Record<string, unknown>
  /** Seconds until it expires; negative for one that has. Default 3600. */
  expiresInSeconds?: number
}

/** Which token requests fail, and how. Those for gcloud's own audience never do. */
export interface FailNextOptions {
  /** HTTP status, from 400 to 599. Default 503. */
  status?: number
  /** How many token requests fail. Default 1. */
  times?: number
  /** Only requests for ID tokens whose audience matches; `*` is any run of characters. Default: every token request. */
  audience?: string
  /** How long each waits before it fails, up to 60,000. Default 0. */
  delayMs?: number
  /** Ends the connection in place of an answer. Default false. */
  drop?: boolean
}

export interface Sidemint {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  /** The `iss` claim of its tokens. */
  readonly issuer: string
  /** Where receivers find its keys. */
  readonly jwksUri: string
  /** Where it answers as Google's key hosts; undefined without `standIn`. */
  readonly standInPort: number | undefined
  /** The variables that point a child process at this server; undefined means that one must be unset. */
  readonly env: Readonly<Record<string, string | undefined>>
  /**
   * Every token request since the start, oldest first; the last 10,000 of them. Without those for gcloud's own audience,
   * which gcloud makes before every command.
   */
  readonly requests: readonly RecordedRequest[]
  /**
   * Points this process at the server until `close`; afterwards it does nothing. Call it before any Google library is
   * used: some remember what they found.
   */
  applyEnv(): void
  /**
   * Lets the next token requests fail; nothing of it is remembered. Replaces an earlier order. Throws an error with the
   * code ORDER_INVALID.
   */
  failNext(order?: FailNextOptions): void
  /** Empties `requests`. */
  clearRequests(): void
  /**
   * Signs an ID token with `email` and any claims, as if it had been asked for. Throws an error with the code
   * ORDER_INVALID, or LOCAL_SOURCE_ONLY where another source mints.
   */
  issueToken(options: IssueTokenOptions): Promise<string>
  /**
   * A new key signs from now on. Receivers find the key before for as long as its tokens live, and know the new one
   * already where they keep keys. Where there is a key file, the keys are written there. Local source only.
   */
  rotateKeys(): Promise<void>
  /** Stops the server, restores the variables, removes its directory. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts a metadata server in this process, on a free port of 127.0.0.1, without credentials and without reading
 * variables or files. Several may run at once. Throws an error with a `code` for settings that are wrong.
 */
export async function startSidemint(options: StartOptions = {}): Promise<Sidemint> {
  if (Object(options) !== options || Array.isArray(options))
    throw invalid(['the options must be an object of settings'])
  const { now, ...chosen } = options
  const problems = now === undefined || typeof now === 'function' ? [] : ['now: must be a function: () => epochMs']
  const settings = settle({ options: chosen }, problems, { taker: 'library' })
  const emptyDirectory = makeTemporaryDirectory(process.env)
  const removeDirectory = () => rmSync(emptyDirectory, { recursive: true, force: true })
  const server = await startServer({
    settings,
    env: settings.source === 'local' ? {} : process.env,
    keepHits: true,
    ...(now === undefined ? {} : { now }),
  }).catch((error) => {
    removeDirectory()
    throw error
  })
  const env = createClientEnv({ url: server.url, emptyDirectory, env: process.env, project: server.project })
  let closing: Promise<void> | undefined

  async function close(): Promise<void> {
    withdrawVariables(env)
    await server.close()
    removeDirectory()
  }

  return {
    url: server.url,
    issuer: server.issuer,
    jwksUri: server.jwksUri,
    standInPort: server.standInPort,
    env,
    get requests() {
      return server.record.requests()
    },
    applyEnv() {
      if (closing === undefined) applyVariables(env)
    },
    failNext: (order = {}) => server.failNext(readFailNext(order)),
    clearRequests: server.clearRequests,
    async issueToken(order) {
      return (await server.issueToken(issueOptions(readIssue(order), server.primary.email))).value
    },
    rotateKeys: async () => void (await server.rotateKeys()),
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}
