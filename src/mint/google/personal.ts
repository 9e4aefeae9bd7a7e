/** Why a person's own tokens are not given out. */

import { failure, type SidemintError } from '../../core/errors.ts'
import { shownAudience } from '../../core/secrets.ts'
import type { TokenRequest } from '../../core/token.ts'
import { type Credential, describeCredential, isGoogleLogin } from '../adc.ts'
import type { Client } from './client.ts'

/** Refuses every request. `clientOf` throws where Google cannot be asked with the credential. */
export function refusePerson<C extends Credential>(
  credential: C,
  request: TokenRequest,
  clientOf: (credential: C) => Client,
): SidemintError {
  const login = describeCredential(credential)
  if (request.kind === 'id') {
    if (isGoogleLogin(credential)) {
      return failure('USER_TOKEN_AUDIENCE', { login, audience: shortened(shownAudience(request.audience)) })
    }
    const client = clientOf(credential)
    if (client.idToken === undefined) return cannotMint(client)
  }
  return failure('USER_TOKENS_NOT_ALLOWED', { login })
}

/** The failure of a credential that Google gives no ID tokens. */
export function cannotMint(client: Client): SidemintError {
  return failure('CREDENTIALS_CANNOT_MINT', { what: client.holder().name })
}

/** An audience may have thousands of characters, and the fix has to fit behind it. */
function shortened(audience: string): string {
  return audience.length > 100 ? `${audience.slice(0, 100)}...` : audience
}
