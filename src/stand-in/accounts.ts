/** The accounts that the settings name, and who may act as whom. */

import type { Identity } from '../identity/identity.ts'
import { readAccessToken } from '../issuer/access-token.ts'
import { accountId } from '../issuer/account-id.ts'
import type { SigningKeys } from '../issuer/keys.ts'

export interface Accounts {
  /** The email of an account that is named by email or unique id; undefined: the settings name no such account. */
  find(name: string): string | undefined
  /** Whether the first account may act as the second: itself, and each that its identity may name by path. */
  mayActAs(caller: string, target: string): boolean
}

/** `identities` is asked each time, since settings may change while the server runs. */
export function createAccounts(identities: () => readonly Identity[]): Accounts {
  return {
    find: (name) =>
      identities()
        .flatMap(({ accounts }) => accounts)
        .find((email) => email === name || accountId(email) === name),
    mayActAs: (caller, target) =>
      caller === target || identities().some(({ email, accounts }) => email === caller && accounts.includes(target)),
  }
}

/** The account of an Authorization header, where it has one of our own access tokens. */
export async function readBearer(
  keys: SigningKeys,
  authorization: string | undefined,
  nowMs: number,
): Promise<'missing' | 'invalid' | { principal: string }> {
  const token = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) return 'missing'
  return (await readAccessToken(keys, token, nowMs)) ?? 'invalid'
}
