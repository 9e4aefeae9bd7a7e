/** The issuer in this process, whose keys need not be fetched. */

import { METADATA_URL } from '../core/google.ts'
import type { SigningKeys } from '../issuer/keys.ts'
import type { IssuerKeys } from './jwks.ts'

export interface OwnIssuer {
  /** The `iss` claim of its tokens. */
  issuer: string
  keys: Pick<SigningKeys, 'kept' | 'signing' | 'published'>
  /** Emails of the accounts whose tokens it signs. Those may have no email. */
  accounts: readonly string[]
}

/** Undefined where `trusted` is another's. What is called the metadata server is this one: its name may lead nowhere here. */
export function ownKeys(trusted: string, own: OwnIssuer | undefined): IssuerKeys | undefined {
  return own !== undefined && (trusted === own.issuer || trusted === METADATA_URL) ? keysOf(own) : undefined
}

function keysOf({ keys }: OwnIssuer): IssuerKeys {
  return {
    kept(kid) {
      const found = keys.kept(kid)
      return found && { key: found.publicKey }
    },
    async find(kid) {
      // First the signing key by itself: asking for all published keys would make the next one.
      const signing = await keys.signing()
      const found = signing.kid === kid ? signing : (await keys.published()).find((key) => key.kid === kid)
      return found && { key: found.publicKey }
    },
  }
}
