/**
 * Who an asker is: the one place where identities are made from settings. Nobody asks which kind of credential
 * an identity has while a request waits.
 */

import type { TokenSource } from './token.ts'

export interface Identity {
  /** The default account's email: the principal of its tokens. */
  email: string
  /** Every account that it may name by path, its own first. */
  accounts: readonly string[]
  tokens: TokenSource
}

/** Whoever sent a request. */
export interface Asker {
  /** A name where one is known, else the address. */
  caller: string
  /** None: the tree is shown without service accounts. */
  identity: Identity | undefined
}
