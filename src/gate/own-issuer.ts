/** The issuer in this process, whose keys need not be fetched. */

import type { SigningKeys } from '../issuer/keys.ts'
import type { IssuerKeys } from './jwks.ts'

export interface OwnIssuer {
  /** The `iss` claim of its tokens. */
  issuer: string
  keys: Pick<SigningKeys, 'signing' | 'published'>
  /** Emails of the accounts whose tokens it signs. Those may have no email. */
  accounts: readonly string[]
}

export function keysOf({ keys }: OwnIssuer): IssuerKeys {
  return {
    async find(kid) {
      // First the signing key by itself: asking for all published keys would make the next one.
      const signing = await keys.signing()
      const found = signing.kid === kid ? signing : (await keys.published()).find((key) => key.kid === kid)
      return found && { key: found.publicKey }
    },
  }
}
