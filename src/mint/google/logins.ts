/** People's logins: with Google, or with an identity provider of a workforce pool. */

import {
  ExternalAccountAuthorizedUserClient,
  type ExternalAccountAuthorizedUserClientOptions,
  UserRefreshClient,
} from 'google-auth-library'
import { failure } from '../../core/errors.ts'
import { readClaims, type Token } from '../../core/token.ts'
import type { UserLogin, WorkforceLogin } from '../adc.ts'
import { type Client, type ClientOptions, OAUTH_HOST, QUIET } from './client.ts'
import { memberOf, tokenUrl } from './pools.ts'
import { accessTokenOf, answered, idTokenOf } from './tokens.ts'

export function createUserClient(json: UserLogin, { name, transport, now }: ClientOptions): Client {
  let email: string | undefined

  async function refresh(): Promise<{ access: Token; id: string | null | undefined }> {
    const { client_id: clientId, client_secret: clientSecret, refresh_token: refreshToken } = json
    const login = { clientId, clientSecret, refreshToken }
    const client = new UserRefreshClient({ ...QUIET, ...login, transporter: transport.gaxios })
    return answered(OAUTH_HOST, async () => {
      const { token } = await client.getAccessToken()
      const { id_token: id, expiry_date: expiry } = client.credentials
      const claims = id ? readClaims(id) : undefined
      if (typeof claims?.email === 'string') email = claims.email
      return { access: accessTokenOf(token, expiry, OAUTH_HOST, now), id }
    })
  }

  return {
    accessToken: async () => (await refresh()).access,
    async idToken() {
      const { id } = await refresh()
      if (!id) throw failure('CREDENTIALS_CANNOT_MINT', { what: `a ${name} without the scope openid` })
      return idTokenOf(id, OAUTH_HOST, now)
    },
    holder: () => ({ name: email ?? `the ${name}`, member: `user:${email ?? 'YOUR_EMAIL'}` }),
  }
}

/** The login of a workforce user. Its refresh token may be replaced at every use (docs/minting.md, "Lives of tokens"). */
export function createWorkforceClient(json: WorkforceLogin, { name, transport, universe, now }: ClientOptions): Client {
  const url = tokenUrl(json.token_url, '/v1/oauthtoken', universe)
  const { host } = new URL(url)
  let { refresh_token } = json
  return {
    async accessToken() {
      const options = { ...QUIET, ...json, token_url: url, refresh_token, transporter: transport.gaxios }
      const client = new ExternalAccountAuthorizedUserClient(
        options as unknown as ExternalAccountAuthorizedUserClientOptions,
      )
      return answered(host, async () => {
        const { token, res } = await client.getAccessToken()
        const { expires_in: seconds, refresh_token: next } = (res?.data ?? {}) as Record<string, unknown>
        if (typeof next === 'string') refresh_token = next
        return accessTokenOf(token, typeof seconds === 'number' ? Date.now() + seconds * 1000 : undefined, host, now)
      })
    },
    holder: () => memberOf(json.audience, name),
  }
}
