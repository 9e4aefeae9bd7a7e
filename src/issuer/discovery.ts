/** OpenID Connect discovery and the local issuer's keys, for receivers. Only where the local source mints. */

import type { Inbound } from '../http/target.ts'
import { type Answer, TYPES } from '../http/wire.ts'
import type { SigningKey } from './key.ts'

export interface DiscoveryOptions {
  key: Promise<SigningKey>
  issuer: () => string
  now: () => number
}

/** A restarted server may have a new key, so receivers are not to keep the old one for long. */
const CACHING = ['Cache-Control', 'public, max-age=60']

/** Google's paths for the same documents. */
export const JWKS_PATH = '/oauth2/v3/certs'
const CERTIFICATES_PATH = '/oauth2/v1/certs'

/** The answers by path. */
export function createDiscovery({
  key,
  issuer,
  now,
}: DiscoveryOptions): Readonly<Record<string, (inbound: Inbound) => Answer | Promise<Answer>>> {
  let certificate: Promise<string> | undefined

  async function certified(): Promise<string> {
    const { certify } = await import('./certificate.ts')
    return certify(await key, now())
  }

  return {
    /** The JWKS is named under the Host that was asked: whoever reached this document reaches that one. */
    '/.well-known/openid-configuration': ({ host }) =>
      json({
        issuer: issuer(),
        authorization_endpoint: `http://${host}/authorize`,
        jwks_uri: `http://${host}${JWKS_PATH}`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        claims_supported: ['aud', 'azp', 'email', 'email_verified', 'exp', 'iat', 'iss', 'sub'],
      }),
    [JWKS_PATH]: async () => json({ keys: [(await key).jwk] }),
    [CERTIFICATES_PATH]: async () => {
      const { kid } = await key
      certificate ??= certified()
      return json({ [kid]: await certificate })
    },
  }
}

function json(data: object): Answer {
  return { status: 200, type: TYPES.json, body: JSON.stringify(data), headers: CACHING }
}
