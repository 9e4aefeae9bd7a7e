import { page } from './answers.ts'
import type { Handler } from './http.ts'

/** accounts.google.com: where the keys of the ID tokens are, for verifiers that go by discovery. */
export function createAccounts(): Handler {
  return ({ url, call }) => {
    call.grant = 'discovery'
    if (url.pathname !== '/.well-known/openid-configuration') {
      throw page(404, 'The requested URL was not found on this server.')
    }
    const jwks_uri = 'https://www.googleapis.com/oauth2/v3/certs'
    return { status: 200, body: { issuer: 'https://accounts.google.com', jwks_uri } }
  }
}
