/**
 * What Google's libraries for .NET and PHP fetch and check, read in their sources and replayed: there is no such library in
 * these tests.
 *
 * .NET, googleapis/google-api-dotnet-client, Src/Support/Google.Apis.Auth: GoogleJsonWebSignature.cs (08c20c3) and
 * SignedTokenVerification.cs (7de0573). PHP, googleapis/google-auth-library-php, src/AccessToken.php (035a6a0), and
 * firebase/php-jwt, src/JWT.php (014056b) and src/JWK.php (07563ba).
 */

import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Network } from './network.ts'
import { AUDIENCE } from './server.ts'

/** GoogleAuthConsts.JsonWebKeySetUrl; AccessToken::FEDERATED_SIGNON_CERT_URL. */
const KEYS_URL = 'https://www.googleapis.com/oauth2/v3/certs'
/** GoogleJsonWebSignature.ValidJwtIssuers; AccessToken::OAUTH2_ISSUER and OAUTH2_ISSUER_HTTPS. */
const ISSUERS = ['https://accounts.google.com', 'accounts.google.com']

interface Fetched {
  status: number
  cacheControl: string
  body: string
}

interface Jwk {
  kid?: string
  kty?: string
  alg?: string
  n: string
  e: string
}

interface Token {
  header: { alg?: string; kid?: string }
  claims: { iss?: unknown; aud?: unknown; iat?: number; exp?: number; nbf?: number }
  isSignedBy(key: Jwk): boolean
}

export interface Replay {
  title: string
  /** The programs that it needs here. */
  needs: readonly string[]
  /** With the stand-in's directory as its trust. */
  fetch(network: Network, directory: string): Promise<Fetched>
  /** How long it keeps the keys of an answer, in seconds. */
  keepsSeconds(fetched: Fetched): number
  /** Why it refuses the token; undefined: it takes it. Throws for a text that is not a JWT. */
  refuses(token: Token, keys: readonly Jwk[], nowSeconds: number): string | undefined
}

/** `HttpClient.GetStringAsync`: HTTP/1.1 with no header but Host; it throws for a status that is not 2xx. */
const DOTNET: Replay = {
  title: '.NET, GoogleJsonWebSignature.ValidateAsync',
  needs: ['curl'],
  async fetch(network, directory) {
    const none = ['--header', 'Accept:', '--header', 'User-Agent:']
    const out = ['--silent', '--show-error', '--fail', '--write-out', '\n%{http_code} %header{cache-control}']
    const bundle = ['--cacert', join(directory, 'bundle.pem')]
    const lines = (await network.run(['curl', '--http1.1', ...none, ...out, ...bundle, KEYS_URL])).split('\n')
    const [status, cacheControl = ''] = lines.pop()?.split(/ (.*)/) ?? []
    return { status: Number(status), cacheControl, body: lines.join('\n') }
  },
  // CertificateCacheBase.DefaultCacheValidity, whatever the answer says.
  keepsSeconds: () => 3600,
  refuses({ header, claims: { iss, aud, iat, exp }, isSignedBy }, keys, nowSeconds) {
    if (keys.length === 0) return 'No JWKs were found'
    if (header.alg !== 'RS256') return "JWT algorithm must be 'RS256'"
    if (!ISSUERS.includes(String(iss))) return 'JWT issuer incorrect'
    if ([aud].flat().some((each) => each !== AUDIENCE)) return "JWT contains untrusted 'aud' claim"
    if (iat === undefined || exp === undefined) return "JWT must contain 'iat' and 'exp' claims"
    if (nowSeconds + 30 < iat) return 'JWT is not yet valid'
    if (nowSeconds > exp) return 'JWT has expired'
    // Each key is tried: `kid` is not looked at.
    return keys.some(isSignedBy) ? undefined : 'JWT invalid, unable to verify signature'
  },
}

const GUZZLE = '/usr/share/php/GuzzleHttp'

/** `AccessToken::verify` by Guzzle's client: any status but 200 is an error. */
const PHP: Replay = {
  title: 'PHP, AccessToken::verify',
  needs: [existsSync(GUZZLE) ? 'php' : 'php-guzzlehttp-guzzle'],
  async fetch(network, directory) {
    const trust = `curl.cainfo=${join(directory, 'bundle.pem')}`
    return JSON.parse(await network.run(['php', '-d', trust, join(import.meta.dirname, 'php/fetch.php'), KEYS_URL]))
  },
  keepsSeconds: ({ cacheControl }) => Number(/(?:^|,) *max-age=(\d+)/.exec(cacheControl)?.[1] ?? 3600),
  refuses({ header, claims: { iss, aud, iat, exp, nbf }, isSignedBy }, keys, nowSeconds) {
    if (keys.length === 0) return 'Key may not be empty'
    if (keys.some(({ kid }) => !kid)) return 'certs expects "kid" to be set'
    if (keys.some(({ kty, alg }) => kty !== 'RSA' || !alg)) return 'JWK must contain an "alg" parameter'
    if (!header.alg || !/^(ES(256K?|384)|[HR]S(256|384|512)|EdDSA)$/.test(header.alg)) return 'Algorithm not supported'
    if (!header.kid) return '"kid" empty, unable to lookup correct key'
    const key = keys.find(({ kid }) => kid === header.kid)
    if (key === undefined) return '"kid" invalid, unable to lookup correct key'
    if (key.alg !== header.alg) return 'Incorrect key for this algorithm'
    if (!isSignedBy(key)) return 'Signature verification failed'
    if (nbf !== undefined && Math.floor(nbf) > nowSeconds) return 'Cannot handle token with nbf prior to'
    if (nbf === undefined && iat !== undefined && Math.floor(iat) > nowSeconds)
      return 'Cannot handle token with iat prior to'
    if (exp !== undefined && nowSeconds >= exp) return 'Expired token'
    if (aud !== AUDIENCE) return 'Audience does not match'
    return ISSUERS.includes(String(iss)) ? undefined : 'Issuer does not match'
  },
}

export const REPLAYS = [DOTNET, PHP] as const

/** Verifies tokens as the library's process would: it fetches keys at its first token, and when it has kept them long enough. */
export function createVerifier(replay: Replay, network: Network, directory: string, now: () => number) {
  let kept: { keys: readonly Jwk[]; untilMs: number } | undefined
  return async (jwt: string): Promise<{ accepted?: Token['claims']; refused?: string }> => {
    if (kept === undefined || kept.untilMs <= now()) {
      const fetched = await replay.fetch(network, directory)
      const untilMs = now() + replay.keepsSeconds(fetched) * 1000
      kept = { keys: JSON.parse(fetched.body).keys, untilMs }
    }
    try {
      const token = parse(jwt)
      const refused = replay.refuses(token, kept.keys, Math.floor(now() / 1000))
      return refused === undefined ? { accepted: token.claims } : { refused }
    } catch (error) {
      return { refused: String(error) }
    }
  }
}

/** SignedToken.FromSignedToken; JWT::decode. Throws where it has no three parts, or no JSON in the first two. */
function parse(jwt: string): Token {
  const [head = '', body = '', signature, ...more] = jwt.split('.')
  if (signature === undefined || more.length > 0) throw new Error('not three parts')
  const [header, claims] = [head, body].map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))
  const signed = Buffer.from(`${head}.${body}`)
  const bytes = Buffer.from(signature, 'base64url')
  return { header, claims, isSignedBy: (key) => verify('sha256', signed, publicKeyOf(key), bytes) }
}

/** SignedTokenVerification.FromKeyToRsa; JWK::parseKey: of modulus and exponent alone. */
function publicKeyOf({ n, e }: Jwk): KeyObject {
  return createPublicKey({ key: { kty: 'RSA', n, e }, format: 'jwk' })
}
