/** A workload in another cloud or a CI system: its own token is exchanged for one of Google's. */

import {
  AwsClient,
  type AwsClientOptions,
  type BaseExternalAccountClient,
  IdentityPoolClient,
  type IdentityPoolClientOptions,
} from 'google-auth-library'
import { failure, SidemintError } from '../../core/errors.ts'
import { readClaims } from '../../core/token.ts'
import type { FederatedCredential } from '../adc.ts'
import { type Client, type ClientOptions, QUIET } from './client.ts'
import { memberOf, tokenUrl } from './pools.ts'
import { Refusal } from './refusal.ts'
import { programSupplier, subjectTokenMissing } from './subject-token.ts'
import { accessTokenOf } from './tokens.ts'

export function createFederatedClient(json: FederatedCredential, options: ClientOptions): Client {
  const { env, transport, universe, now } = options
  const { credential_source: source } = json
  const url = tokenUrl(json.token_url, '/v1/token', universe)
  const { host } = new URL(url)
  let subject: string | undefined

  function construct(scopes: readonly string[]): BaseExternalAccountClient {
    const common = { ...QUIET, ...json, token_url: url, scopes: [...scopes], transporter: transport.gaxios }
    if (source.environment_id !== undefined) return new AwsClient(common as unknown as AwsClientOptions)
    const { executable } = source
    const supplied = executable && { subject_token_supplier: programSupplier(executable, json, { env, transport }) }
    const pool = supplied === undefined ? common : { ...common, credential_source: undefined, ...supplied }
    return new IdentityPoolClient(pool as unknown as IdentityPoolClientOptions)
  }

  /** The provider's token; where it is a JWT, its `sub` names the workload. */
  async function readSubject(client: BaseExternalAccountClient): Promise<string> {
    const token = await client.retrieveSubjectToken()
    const { sub } = readClaims(token) ?? {}
    subject = typeof sub === 'string' && isPlain(sub) ? sub : undefined
    return token
  }

  return {
    async accessToken(scopes) {
      if ('certificate' in source) throw failure('CREDENTIALS_UNUSABLE', { what: UNSUPPORTED_CERTIFICATE })
      try {
        const client = construct(scopes)
        const token = await readSubject(client)
        // For STS the library makes a transport of its own, without any limit (docs/minting.md, "Time and retries"). The field is protected in google-auth-library (11.3.4,
        // BaseExternalAccountClient), so package.json pins that version exactly.
        const { stsCredential } = client as unknown as { stsCredential: object }
        Object.assign(stsCredential, { transporter: transport.gaxios })
        Object.assign(client, { retrieveSubjectToken: async () => token })
        const { token: value } = await client.getAccessToken()
        return accessTokenOf(value, client.credentials.expiry_date, host, now)
      } catch (thrown) {
        if (thrown instanceof SidemintError) throw thrown
        if (thrown instanceof Refusal && thrown.host === host) throw thrown
        throw subjectTokenMissing(source, thrown)
      }
    },
    holder: () => memberOf(json.audience, 'workload', subject),
  }
}

const UNSUPPORTED_CERTIFICATE = 'a workload certificate (X.509), which sidemint does not support,'

/** Whether a subject may appear in a command that somebody pastes. Google takes at most 127 characters (cloud.google.com/iam/docs/workload-identity-federation, attribute mappings). */
function isPlain(subject: string): boolean {
  return /^[^\p{C}\s'"\\$`!]{1,127}$/u.test(subject)
}
