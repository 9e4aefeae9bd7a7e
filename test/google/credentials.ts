import { numericId, projectOf, type World } from './world.ts'

const GCLOUD_CLIENT = '764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com'
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
const LOGIN_SCOPES = ['openid', 'https://www.googleapis.com/auth/userinfo.email', CLOUD_PLATFORM]

/** The content of an ADC file. */
export type Adc = { type: string } & Record<string, unknown>

/** Makers of credentials, each a JSON as gcloud or the console writes it, for principals that exist from then on. */
export interface Credentials {
  serviceAccountKey(email: string): Promise<Adc>
  /** What `gcloud auth application-default login` writes. */
  userLogin(email: string, options?: { quotaProject?: string; scopes?: string[] }): Adc
  /** `chain` as in gcloud: the last is the target, those before it delegate. Grants nothing. */
  impersonated(source: Adc, chain: string | string[], options?: { quotaProject?: string }): Adc
}

export function createCredentials(world: World): Credentials {
  return {
    async serviceAccountKey(email) {
      const key = await world.newKey()
      const account = world.createAccount(email)
      account.keys.push(key.publicKey)
      const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      world.secrets.add(pem.split('\n')[5] ?? pem)
      return {
        type: 'service_account',
        project_id: projectOf(email),
        private_key_id: key.kid,
        private_key: pem,
        client_email: email,
        client_id: numericId(email),
        auth_uri: 'https://accounts.google.com/o/oauth2/auth',
        token_uri: 'https://oauth2.googleapis.com/token',
        universe_domain: 'googleapis.com',
      }
    },
    userLogin(principal, { quotaProject, scopes = LOGIN_SCOPES } = {}) {
      const secret = world.clients.get(GCLOUD_CLIENT) ?? world.newSecret('GOCSPX-')
      world.clients.set(GCLOUD_CLIENT, secret)
      const refresh = world.newSecret('1//')
      world.logins.set(refresh, { principal, client: GCLOUD_CLIENT, scopes, revoked: false })
      return {
        type: 'authorized_user',
        account: '',
        client_id: GCLOUD_CLIENT,
        client_secret: secret,
        refresh_token: refresh,
        ...(quotaProject && { quota_project_id: quotaProject }),
        universe_domain: 'googleapis.com',
      }
    },
    impersonated(source, chain, { quotaProject } = {}) {
      const names = [chain].flat()
      const target = names.at(-1) ?? ''
      return {
        type: 'impersonated_service_account',
        service_account_impersonation_url: impersonationUrl(target),
        delegates: names.slice(0, -1).map((name) => `projects/-/serviceAccounts/${name}`),
        source_credentials: source,
        ...(quotaProject && { quota_project_id: quotaProject }),
      }
    },
  }
}

function impersonationUrl(email: string): string {
  return `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:generateAccessToken`
}
