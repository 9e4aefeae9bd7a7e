/** What a credential can do by itself, without impersonation. */

import type { Token } from '../../core/token.ts'
import type { Holder } from './failures.ts'
import type { Iam } from './iam.ts'
import type { Transport } from './transport.ts'

export interface Client {
  /** A new one. A login ignores `scopes`: its own were chosen when it was made. Throws a Refusal or a SidemintError. */
  accessToken(scopes: readonly string[]): Promise<Token>
  /** Absent where Google gives this credential no ID tokens (docs/minting.md, "What each credential can mint"). */
  idToken?(audience: string): Promise<Token>
  /** A user's email is known after the first refresh, a workload's subject after the first exchange. */
  holder(): Holder
}

export interface ClientOptions {
  /** What the credential is, for people. */
  name: string
  /** What a program that gives the subject token gets, and whether it is run. */
  env: NodeJS.ProcessEnv
  transport: Transport
  iam: Iam
  /** The credential's universe: all hosts are in it. */
  universe: string
  /** Epoch ms. */
  now: () => number
}

/** Without this the library logs tokens where GOOGLE_SDK_NODE_LOGGING says so (docs/minting.md, "What the library's errors carry"). */
export const QUIET = { useAuthRequestParameters: false }

/** Only the default universe has one (docs/minting.md, "Universes"). */
export const OAUTH_HOST = 'oauth2.googleapis.com'
