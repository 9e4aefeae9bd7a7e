/** OpenID Connect discovery and the local issuer's keys, for receivers. Served only with the local source. */

import type { Routes } from '../http/app.ts'
import type { Inbound } from '../http/target.ts'
import type { SigningKeys } from './keys.ts'

export interface DiscoveryOptions {
  keys: SigningKeys
  /** The `iss` claim of our tokens. */
  issuer: () => string
  /** Epoch ms. */
  now: () => number
}

/** Receivers should not keep a key for long: a restarted server may have another (docs/minting.md, "The local issuer"). */
export const HEADERS = { 'Cache-Control': 'public, max-age=60', 'Content-Type': 'application/json' }

/** The paths of the same documents at www.googleapis.com (docs/minting.md, "The local issuer"). */
export const JWKS_PATH = '/oauth2/v3/certs'
const CERTIFICATES_PATH = '/oauth2/v1/certs'

/** Under the Host of the request: whoever reached the document reaches the JWKS by the same name. */
export function createDiscovery({ keys, issuer, now }: DiscoveryOptions): Routes {
  const document = describeIssuer(({ host }) => ({
    issuer: issuer(),
    base: `http://${host}`,
    keysBase: `http://${host}`,
  }))
  const published = publishKeys(keys, now)
  return (router) => {
    document(router)
    published(router)
  }
}

interface IssuerUrls {
  issuer: string
  /** Where people would sign in. */
  base: string
  keysBase: string
}

/** The discovery document. */
export function describeIssuer(urlsFor: (inbound: Inbound) => IssuerUrls): Routes {
  return (router) => {
    router.get('/.well-known/openid-configuration', (ctx) => {
      const { issuer, base, keysBase } = urlsFor(ctx.state.inbound)
      ctx.set(HEADERS)
      ctx.body = {
        issuer,
        authorization_endpoint: `${base}/authorize`,
        jwks_uri: `${keysBase}${JWKS_PATH}`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
        claims_supported: ['aud', 'azp', 'email', 'email_verified', 'exp', 'iat', 'iss', 'sub'],
      }
    })
  }
}

/** The keys in both of Google's forms. `now` in epoch ms. */
export function publishKeys(keys: SigningKeys, now: () => number): Routes {
  const certificates = createCertificates(keys, now)
  return (router) => {
    router.get(JWKS_PATH, async (ctx) => {
      ctx.set(HEADERS)
      ctx.body = { keys: (await keys.published()).map(({ jwk }) => jwk) }
    })

    router.get(CERTIFICATES_PATH, async (ctx) => {
      ctx.set(HEADERS)
      ctx.body = await certificates()
    })
  }
}

/** The published keys as X.509 certificates by key id; each is made once. */
function createCertificates(keys: SigningKeys, now: () => number): () => Promise<Readonly<Record<string, string>>> {
  let made = new Map<string, Promise<string>>()
  return async () => {
    const { certify } = await import('./certificate.ts')
    const [signing, published] = await Promise.all([keys.signing(), keys.published()])
    made = new Map(published.map((key) => [key.kid, made.get(key.kid) ?? certify(key, signing, now())]))
    return Object.fromEntries(await Promise.all([...made].map(async ([kid, pem]) => [kid, await pem] as const)))
  }
}
