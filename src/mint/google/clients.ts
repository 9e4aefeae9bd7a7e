/**
 * Google's library, a class for each form of credential, constructed directly: its loaders would spawn gcloud, probe
 * for a metadata server and print warnings. A client lives for one call, so what it caches and how early it refreshes
 * is of no concern; tokens are kept by us.
 */

import {
  AwsClient,
  type AwsClientOptions,
  ExternalAccountAuthorizedUserClient,
  type ExternalAccountAuthorizedUserClientOptions,
  IdentityPoolClient,
  type IdentityPoolClientOptions,
  JWT,
  UserRefreshClient,
} from 'google-auth-library'
import { failure, SidemintError } from '../../core/errors.ts'
import { readClaims, type Token } from '../../core/token.ts'
import type { FederatedCredential, ServiceAccountKey, UserLogin, WorkforceLogin } from '../adc.ts'
import { type Caller, garbage, Refusal } from './failures.ts'
import { programSupplier, subjectTokenMissing } from './subject-token.ts'
import type { Transport } from './transport.ts'

/** What a credential can do by itself; impersonation is not asked here. */
export interface Client {
  /** A new one. A login's scopes were chosen when it was made. */
  accessToken(scopes: readonly string[]): Promise<Token>
  /** Absent where Google gives this credential no ID token at all. */
  idToken?(audience: string): Promise<Token>
  /** A user's email is known after the first refresh. */
  caller(): Caller
}

export interface ClientOptions {
  transport: Transport
  /** Epoch ms. */
  now: () => number
}

const OAUTH = 'oauth2.googleapis.com'
/** The library logs tokens where GOOGLE_SDK_NODE_LOGGING asks it to. */
const QUIET = { useAuthRequestParameters: false }

export function createKeyClient(
  { client_email: email, private_key: key }: ServiceAccountKey,
  { transport, now }: ClientOptions,
): Client {
  const options = { ...QUIET, email, key, transporter: transport.gaxios }
  return {
    async accessToken(scopes) {
      const client = new JWT({ ...options, scopes: [...scopes] })
      return answered(OAUTH, async () => {
        const { token } = await client.getAccessToken()
        return accessTokenOf(token, client.credentials.expiry_date, OAUTH, now)
      })
    },
    // Google refuses an assertion with both scope and target_audience, so this client has no scopes.
    idToken: (audience) =>
      answered(OAUTH, async () => idTokenOf(await new JWT(options).fetchIdToken(audience), OAUTH, now)),
    caller: () => ({ name: email, member: `serviceAccount:${email}` }),
  }
}

export function createUserClient(json: UserLogin, { transport, now }: ClientOptions): Client {
  let email: string | undefined

  async function refresh(): Promise<{ access: Token; id: string | null | undefined }> {
    const { client_id: clientId, client_secret: clientSecret, refresh_token: refreshToken } = json
    const client = new UserRefreshClient({
      ...QUIET,
      clientId,
      clientSecret,
      refreshToken,
      transporter: transport.gaxios,
    })
    return answered(OAUTH, async () => {
      const { token } = await client.getAccessToken()
      const { id_token: id, expiry_date: expiry } = client.credentials
      const claims = readClaims(id ?? '')
      if (typeof claims?.email === 'string') email = claims.email
      return { access: accessTokenOf(token, expiry, OAUTH, now), id }
    })
  }

  return {
    accessToken: async () => (await refresh()).access,
    async idToken() {
      const { id } = await refresh()
      if (!id) throw failure('CREDENTIALS_CANNOT_MINT', { what: 'a user login without the scope openid' })
      return idTokenOf(id, OAUTH, now)
    },
    caller: () => ({ name: email ?? 'the user login', member: `user:${email ?? 'YOUR_EMAIL'}` }),
  }
}

/** A workload of another cloud or of a CI system. */
export function createFederatedClient(json: FederatedCredential, { transport, now }: ClientOptions): Client {
  const host = new URL(json.token_url ?? 'https://sts.googleapis.com').host

  function construct(scopes: readonly string[]) {
    const { credential_source: source } = json
    const common = { ...QUIET, ...json, scopes: [...scopes], transporter: transport.gaxios }
    if (source.environment_id !== undefined) return new AwsClient(common as unknown as AwsClientOptions)
    const { executable } = source
    const options =
      executable === undefined
        ? common
        : {
            ...common,
            credential_source: undefined,
            subject_token_supplier: programSupplier(executable, json, transport),
          }
    return new IdentityPoolClient(options as unknown as IdentityPoolClientOptions)
  }

  return {
    async accessToken(scopes) {
      try {
        const client = construct(scopes)
        // STS builds a transport of its own, without any bound.
        Object.assign((client as unknown as { stsCredential: object }).stsCredential, { transporter: transport.gaxios })
        const { token } = await client.getAccessToken()
        return accessTokenOf(token, client.credentials.expiry_date, host, now)
      } catch (thrown) {
        if (thrown instanceof SidemintError) throw thrown
        if (thrown instanceof Refusal && thrown.host === host) throw thrown
        throw subjectTokenMissing(json.credential_source, thrown)
      }
    },
    caller: () => memberOf(json.audience, 'workload'),
  }
}

/** The login of a workforce user, whose refresh token may be replaced at every use. */
export function createWorkforceClient(json: WorkforceLogin, { transport, now }: ClientOptions): Client {
  const host = new URL(json.token_url ?? 'https://sts.googleapis.com').host
  let { refresh_token } = json
  return {
    async accessToken() {
      const options = { ...QUIET, ...json, refresh_token, transporter: transport.gaxios }
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
    caller: () => memberOf(json.audience ?? '', 'workforce login'),
  }
}

/** Which subject it is depends on the mapping of attributes, which only Google knows. */
function memberOf(audience: string, what: string): Caller {
  const [, pool = 'POOL', name = 'POOL'] = /(?:\/\/iam\.googleapis\.com\/)?(.*Pools\/([^/]+))/.exec(audience) ?? []
  return { name: `the ${what} of pool ${name}`, member: `principal://iam.googleapis.com/${pool}/subject/SUBJECT` }
}

/** A library that trips over an answer says so in words of its own, with the answer's content in them. */
async function answered<T>(host: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (thrown) {
    throw thrown instanceof SidemintError || thrown instanceof Refusal ? thrown : garbage(host)
  }
}

/** `expiryMs` is the library's, by the wall clock. */
function accessTokenOf(value: unknown, expiryMs: unknown, host: string, now: () => number): Token {
  if (typeof value !== 'string' || value === '' || typeof expiryMs !== 'number') throw garbage(host)
  return { value, expiresAtMs: now() + expiryMs - Date.now(), served: 'mint' }
}

/**
 * A new ID token. Its life is counted from its arrival: `exp` is by Google's clock, and a laptop's may be minutes
 * behind after a sleep.
 */
export function idTokenOf(value: unknown, host: string, now: () => number): Token {
  const { exp, iat } = readClaims(typeof value === 'string' ? value : '') ?? {}
  if (typeof value !== 'string' || typeof exp !== 'number' || typeof iat !== 'number') throw garbage(host)
  return { value, expiresAtMs: now() + (exp - iat) * 1000, served: 'mint' }
}
