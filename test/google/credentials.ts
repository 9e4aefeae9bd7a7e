import { createProvider } from './idp.ts'
import { numericId, projectOf, type World } from './world.ts'

const GCLOUD_CLIENT = '764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com'
const CLOUD_PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
const LOGIN_SCOPES = ['openid', 'https://www.googleapis.com/auth/userinfo.email', CLOUD_PLATFORM]

const WORKFORCE_POOL = 'locations/global/workforcePools/acme'

/** The content of an ADC file. */
export type Adc = { type: string } & Record<string, unknown>

/** Makers of credentials, each a JSON as gcloud or the console writes it, for principals that exist from then on. */
export interface Credentials {
  serviceAccountKey(email: string): Promise<Adc>
  /** What `gcloud auth application-default login` writes. */
  userLogin(email: string, options?: { quotaProject?: string; scopes?: string[] }): Adc
  /** `chain` as in gcloud: the last is the target, those before it delegate. Grants nothing. */
  impersonated(source: Adc, chain: string | string[], options?: { quotaProject?: string }): Adc
  /**
   * A workload outside of Google, of the pool `ci` of `project`. Its subject token is in a file, or at a URL of the
   * fake's plain HTTP server. With `impersonate` it names that service account's generateAccessToken. Grants nothing:
   * its principal is `(await google.workloadProvider()).principal(subject)`.
   */
  externalAccount(options: ExternalAccountOptions): Promise<Adc>
  /** A workforce user, as `gcloud auth application-default login` with a login configuration writes it. */
  externalAccountAuthorizedUser(subject: string, options?: { quotaProject?: string }): Adc
  /** The member that stands for a workforce user. */
  workforcePrincipal(subject: string): string
}

export interface ExternalAccountOptions {
  from: 'file' | 'url'
  /** Default: `workload`. */
  subject?: string
  /** Default: `acme-dev`. */
  project?: string
  impersonate?: string
  quotaProject?: string
}

/** Where subject tokens are put: a file of that name, or a URL that answers with new ones. */
export interface SubjectTokens {
  file(name: string, token: string): string
  url(name: string, token: () => string): string
}

export function createCredentials(world: World, subjectTokens: SubjectTokens): Credentials {
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
        universe_domain: world.universe,
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
        universe_domain: world.universe,
      }
    },
    impersonated(source, chain, { quotaProject } = {}) {
      const names = [chain].flat()
      const target = names.at(-1) ?? ''
      return {
        type: 'impersonated_service_account',
        service_account_impersonation_url: impersonationUrl(world, target),
        delegates: names.slice(0, -1).map((name) => `projects/-/serviceAccounts/${name}`),
        source_credentials: source,
        ...(quotaProject && { quota_project_id: quotaProject }),
      }
    },
    async externalAccount({ from, subject = 'workload', project = 'acme-dev', impersonate, quotaProject }) {
      const provider = await createProvider(world, project)
      const fetched = () => ({
        url: subjectTokens.url(subject, () => provider.subjectToken(subject)),
        headers: { Metadata: 'True' },
        format: { type: 'json', subject_token_field_name: 'access_token' },
      })
      const credential_source =
        from === 'url' ? fetched() : { file: subjectTokens.file(subject, provider.subjectToken(subject)) }
      return {
        type: 'external_account',
        audience: provider.audience,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: `https://sts.${world.universe}/v1/token`,
        credential_source,
        ...(impersonate && { service_account_impersonation_url: impersonationUrl(world, impersonate) }),
        ...(quotaProject && { quota_project_id: quotaProject }),
        universe_domain: world.universe,
      }
    },
    externalAccountAuthorizedUser(subject, { quotaProject } = {}) {
      const client = 'workforce-client'
      const secret = world.clients.get(client) ?? world.newSecret('workforce-secret-')
      world.clients.set(client, secret)
      const refresh = world.newSecret('workforce-refresh-')
      const principal = workforcePrincipal(subject)
      world.logins.set(refresh, { principal, client, scopes: [CLOUD_PLATFORM], revoked: false })
      return {
        type: 'external_account_authorized_user',
        audience: `//iam.googleapis.com/${WORKFORCE_POOL}/providers/idp`,
        client_id: client,
        client_secret: secret,
        refresh_token: refresh,
        token_url: `https://sts.${world.universe}/v1/oauthtoken`,
        token_info_url: 'https://sts.googleapis.com/v1/introspect',
        ...(quotaProject && { quota_project_id: quotaProject }),
        universe_domain: world.universe,
      }
    },
    workforcePrincipal,
  }
}

function workforcePrincipal(subject: string): string {
  return `principal://iam.googleapis.com/${WORKFORCE_POOL}/subject/${subject}`
}

function impersonationUrl({ universe }: World, email: string): string {
  return `https://iamcredentials.${universe}/v1/projects/-/serviceAccounts/${email}:generateAccessToken`
}
