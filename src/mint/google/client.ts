/** What a credential can do by itself; impersonation is not asked here. */

import type { Token } from '../../core/token.ts'
import type { Holder } from './failures.ts'
import type { Iam } from './iam.ts'
import type { Transport } from './transport.ts'

export interface Client {
  /** A new one. A login's scopes were chosen when it was made. Throws a Refusal or a SidemintError. */
  accessToken(scopes: readonly string[]): Promise<Token>
  /** Absent where Google gives this credential no ID token at all. */
  idToken?(audience: string): Promise<Token>
  /** A user's email is known after the first refresh, a workload's subject after the first exchange. */
  holder(): Holder
}

export interface ClientOptions {
  transport: Transport
  iam: Iam
  /** The universe of the credential, which all its hosts are in. */
  universe: string
  /** Epoch ms. */
  now: () => number
}

/** The library logs tokens where GOOGLE_SDK_NODE_LOGGING asks it to. */
export const QUIET = { useAuthRequestParameters: false }

/** Of the default universe: no other has one. */
export const OAUTH_HOST = 'oauth2.googleapis.com'
