/** OpenID Connect discovery and the local issuer's keys, for receivers. Only where the local source mints. */

import type { Routes } from '../http/app.ts'
import type { SigningKey } from './key.ts'

export interface DiscoveryOptions {
  key: Promise<SigningKey>
  issuer: () => string
  now: () => number
}

/** A restarted server may have a new key, so receivers are not to keep the old one for long. */
const HEADERS = { 'Cache-Control': 'public, max-age=60', 'Content-Type': 'application/json' }

/** Google's paths for the same documents. */
export const JWKS_PATH = '/oauth2/v3/certs'
const CERTIFICATES_PATH = '/oauth2/v1/certs'

export function createDiscovery({ key, issuer, now }: DiscoveryOptions): Routes {
  let certificate: Promise<string> | undefined

  async function certified(): Promise<string> {
    const { certify } = await import('./certificate.ts')
    return certify(await key, now())
  }

  return (router) => {
    router.get('/.well-known/openid-configuration', (ctx) => {
      // The JWKS is named under the Host that was asked: whoever reached this document reaches that one.
      const { host } = ctx.state.inbound
      ctx.set(HEADERS)
      ctx.body = {
        issuer: issuer(),
        authorization_endpoint: `http://${host}/authorize`,
        jwks_uri: `http://${host}${JWKS_PATH}`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        claims_supported: ['aud', 'azp', 'email', 'email_verified', 'exp', 'iat', 'iss', 'sub'],
      }
    })

    router.get(JWKS_PATH, async (ctx) => {
      ctx.set(HEADERS)
      ctx.body = { keys: [(await key).jwk] }
    })

    router.get(CERTIFICATES_PATH, async (ctx) => {
      const { kid } = await key
      certificate ??= certified()
      ctx.set(HEADERS)
      ctx.body = { [kid]: await certificate }
    })
  }
}
