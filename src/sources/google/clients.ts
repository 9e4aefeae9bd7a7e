/**
 * Google's library, a class for each form of credential, constructed directly: its loaders would spawn gcloud, probe
 * for a metadata server and print warnings.
 */

import {
  AwsClient,
  type AwsClientOptions,
  ExternalAccountAuthorizedUserClient,
  type ExternalAccountAuthorizedUserClientOptions,
  type gaxios,
  IdentityPoolClient,
  type IdentityPoolClientOptions,
  JWT,
  PluggableAuthClient,
  type PluggableAuthClientOptions,
  UserRefreshClient,
} from 'google-auth-library'
import type { Credential } from '../../adc.ts'
import { readClaims, type Token } from '../../token.ts'
import { garbage } from './failures.ts'

/** What a credential can do by itself; impersonation is not asked here. */
export interface Client {
  accessToken(scopes: readonly string[]): Promise<Token>
  /** Absent where Google gives this credential no ID token at all. */
  idToken?(audience: string): Promise<Token>
  /** As gcloud's members are written; a user's email is known after the first refresh. */
  caller(): string
}

/** Sources are used for impersonation alone, and by itself a client refreshes too late for our cache. */
const REFRESH_AHEAD_MS = 11 * 60_000

export function createClient(
  credential: Exclude<Credential, { kind: 'impersonated' | 'gdch' }>,
  transporter: gaxios.Gaxios,
): Client {
  if (credential.kind === 'key') return createKeyClient(credential.json, transporter)
  if (credential.kind === 'user') return createUserClient(credential.json, transporter)
  return createFederatedClient(credential.json, transporter)
}

function createKeyClient(
  { client_email: email, private_key: key }: { client_email: string; private_key: string },
  transporter: gaxios.Gaxios,
): Client {
  const byScopes = new Map<string, JWT>()
  return {
    async accessToken(scopes) {
      const name = scopes.join(' ')
      const client =
        byScopes.get(name) ??
        new JWT({ email, key, scopes: [...scopes], transporter, eagerRefreshThresholdMillis: REFRESH_AHEAD_MS })
      if (byScopes.size < SCOPE_SETS) byScopes.set(name, client)
      return accessTokenOf(await client.getAccessToken(), client.credentials.expiry_date)
    },
    // Google refuses an assertion with both scope and target_audience, so this client has no scopes.
    idToken: async (audience) => idTokenOf(await new JWT({ email, key, transporter }).fetchIdToken(audience)),
    caller: () => `serviceAccount:${email}`,
  }
}

/** Scopes come from callers, so the clients that are kept for them are bounded. */
const SCOPE_SETS = 50

function createUserClient(
  json: { client_id: string; client_secret: string; refresh_token: string },
  transporter: gaxios.Gaxios,
): Client {
  const client = new UserRefreshClient({
    clientId: json.client_id,
    clientSecret: json.client_secret,
    refreshToken: json.refresh_token,
    transporter,
    eagerRefreshThresholdMillis: REFRESH_AHEAD_MS,
  })
  return {
    accessToken: async () => accessTokenOf(await client.getAccessToken(), client.credentials.expiry_date),
    idToken: async (audience) => idTokenOf(await client.fetchIdToken(audience)),
    caller() {
      const { email } = readClaims(client.credentials.id_token ?? '') ?? {}
      return typeof email === 'string' ? `user:${email}` : 'user:YOU'
    },
  }
}

function createFederatedClient(json: { type: string; [key: string]: unknown }, transporter: gaxios.Gaxios): Client {
  const options = { ...json, transporter, eagerRefreshThresholdMillis: REFRESH_AHEAD_MS }
  if (json.type === 'external_account_authorized_user') {
    const client = new ExternalAccountAuthorizedUserClient(
      options as unknown as ExternalAccountAuthorizedUserClientOptions,
    )
    return {
      accessToken: async () => accessTokenOf(await client.getAccessToken(), client.credentials.expiry_date),
      caller: () => 'the workforce login',
    }
  }
  const client = createExternalClient(options)
  // STS builds a transport of its own, without any bound.
  ;(client as unknown as { stsCredential: { transporter: gaxios.Gaxios } }).stsCredential.transporter = transporter
  return {
    async accessToken(scopes) {
      client.scopes = [...scopes]
      return accessTokenOf(await client.getAccessToken(), client.credentials.expiry_date)
    },
    caller: () => 'the federated identity',
  }
}

function createExternalClient(options: { type: string; credential_source?: unknown }) {
  const source = (options.credential_source ?? {}) as { environment_id?: string; executable?: unknown }
  if (source.environment_id?.startsWith('aws')) return new AwsClient(options as unknown as AwsClientOptions)
  if (source.executable !== undefined) return new PluggableAuthClient(options as unknown as PluggableAuthClientOptions)
  return new IdentityPoolClient(options as unknown as IdentityPoolClientOptions)
}

function accessTokenOf({ token }: { token?: string | null }, expiresAtMs: number | null | undefined): Token {
  if (typeof token !== 'string' || token === '' || typeof expiresAtMs !== 'number') throw garbage('Google')
  return { value: token, expiresAtMs, served: 'mint' }
}

/** An ID token lives as long as its `exp` says, whoever minted it. */
export function idTokenOf(value: unknown): Token {
  const exp = typeof value === 'string' ? readClaims(value)?.exp : undefined
  if (typeof value !== 'string' || typeof exp !== 'number') throw garbage('Google')
  return { value, expiresAtMs: exp * 1000, served: 'mint' }
}
