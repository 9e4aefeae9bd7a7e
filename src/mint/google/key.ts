/** Service account keys. */

import { JWT, JWTAccess } from 'google-auth-library'
import type { ServiceAccountKey } from '../adc.ts'
import { type Client, type ClientOptions, OAUTH_HOST, QUIET } from './client.ts'
import type { Holder } from './failures.ts'
import { CLOUD_PLATFORM } from './iam.ts'
import { accessTokenOf, answered, idTokenOf } from './tokens.ts'

export function createKeyClient(json: ServiceAccountKey, { transport, now }: ClientOptions): Client {
  const { client_email: email, private_key: key } = json
  const options = { ...QUIET, email, key, transporter: transport.gaxios }
  return {
    async accessToken(scopes) {
      const client = new JWT({ ...options, scopes: [...scopes] })
      return answered(OAUTH_HOST, async () => {
        const { token } = await client.getAccessToken()
        return accessTokenOf(token, client.credentials.expiry_date, OAUTH_HOST, now)
      })
    },
    // Without scopes: Google refuses an assertion with both scope and target_audience (docs/minting.md, "The key exchange").
    idToken: (audience) =>
      answered(OAUTH_HOST, async () => idTokenOf(await new JWT(options).fetchIdToken(audience), OAUTH_HOST, now)),
    holder: () => holderOf(json),
  }
}

/** How long a self-signed token lives (read in google-auth-library 11.3, `JWTAccess`). */
const SELF_SIGNED_MS = 3_600_000

/**
 * A key of a universe other than Google's own (docs/minting.md, "Universes"). That has no token endpoint: the key signs its
 * access tokens itself, and IAM Credentials gives it ID tokens for its own account.
 */
export function createForeignKeyClient(json: ServiceAccountKey, { iam, now }: ClientOptions): Client {
  const { client_email: email, private_key: key, private_key_id: id } = json

  async function accessToken(scopes: readonly string[]) {
    const signer = new JWTAccess(email, key, typeof id === 'string' ? id : null)
    const value = signer.getRequestHeaders(undefined, undefined, [...scopes]).get('authorization') ?? ''
    return { value: value.replace('Bearer ', ''), expiresAtMs: now() + SELF_SIGNED_MS, served: 'mint' } as const
  }

  return {
    accessToken,
    async idToken(audience) {
      const request = { kind: 'id', principal: email, audience, format: 'full' } as const
      return iam.generate({ email, delegates: [] }, request, await accessToken([CLOUD_PLATFORM]))
    },
    holder: () => holderOf(json),
  }
}

function holderOf({ client_email: email }: ServiceAccountKey): Holder {
  return { name: email, member: `serviceAccount:${email}` }
}
