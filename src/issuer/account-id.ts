/** The numeric ids of local accounts. */

import { createHash } from 'node:crypto'

/**
 * The numeric id of a local account: 21 digits that begin with 1, as Google's do (docs/wire.md, "Claims"). It is made
 * from the email, so `sub` is the same on every machine and after every restart.
 */
export function accountId(email: string): string {
  const digest = createHash('sha256').update(email).digest('hex')
  return `1${(BigInt(`0x${digest}`) % 10n ** 20n).toString().padStart(20, '0')}`
}
