import { page } from './answers.ts'
import type { Handler } from './http.ts'
import type { World } from './world.ts'

/** www.googleapis.com: the keys of the ID tokens, as X.509 and as JWKS, and those of accounts (docs/minting.md, "The local issuer"). */
export function createCerts(world: World): Handler {
  let certificate: Promise<string> | undefined
  return async ({ url, call }) => {
    call.grant = 'certs'
    const key = await world.signingKey()
    const headers = {
      'Cache-Control': 'public, max-age=21600, must-revalidate, no-transform',
      Expires: new Date(world.now() + 21_600_000).toUTCString(),
    }
    if (url.pathname === '/oauth2/v1/certs') {
      certificate ??= import('./tls.ts').then(({ certify }) => certify(key, world.now()))
      return { status: 200, body: { [key.kid]: await certificate }, headers }
    }
    if (url.pathname === '/oauth2/v3/certs') {
      const jwk = { ...key.publicKey.export({ format: 'jwk' }), kid: key.kid, alg: 'RS256', use: 'sig' }
      return { status: 200, body: { keys: [jwk] }, headers }
    }
    const [, email = ''] = /^\/robot\/v1\/metadata\/x509\/(.+)$/.exec(decodeURIComponent(url.pathname)) ?? []
    if (world.account(email) !== undefined) {
      const managed = await world.managedKey(email)
      const { certify } = await import('./tls.ts')
      return { status: 200, body: { [managed.kid]: await certify(managed, world.now()) }, headers }
    }
    throw page(404, 'The requested URL was not found on this server.')
  }
}
