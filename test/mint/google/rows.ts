/** Every way to a token, and the calls that it is made of. */

import type { FakeGoogle } from '../../google/start.ts'

export const ANN = 'ann@acme.com'
export const CI = 'ci@acme-dev.iam.gserviceaccount.com'
export const MIDDLE = 'middle@acme-dev.iam.gserviceaccount.com'
export const FIRST = 'first@acme-dev.iam.gserviceaccount.com'
export const SECOND = 'second@acme-dev.iam.gserviceaccount.com'
export const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
export const VM = 'vm@acme-dev.iam.gserviceaccount.com'
export const AUDIENCE = 'https://billing-x.a.run.app'
export const CREATOR = 'roles/iam.serviceAccountTokenCreator'

export interface Setup {
  /** Options of the server. */
  settings: Record<string, unknown>
  env: Record<string, string>
  /** Writes the credential file anew, as a new login would. */
  replace?: () => Promise<void>
}

export interface Row {
  credential: string
  setUp(google: FakeGoogle): Promise<Setup>
  /** In their order. */
  calls: Record<string, { host: string; path?: string }>
}

const OAUTH = { host: 'oauth2.googleapis.com' }
const STS = { host: 'sts.googleapis.com' }
const IAM_ID = { host: 'iamcredentials.googleapis.com', path: ':generateIdToken' }
const IAM_ACCESS = { host: 'iamcredentials.googleapis.com', path: ':generateAccessToken' }

/** A credential file whose content can be made again. */
async function file(google: FakeGoogle, make: () => object | Promise<object>, settings: object = {}): Promise<Setup> {
  const name = `adc-${crypto.randomUUID()}.json`
  const write = async () => google.write(name, JSON.stringify(await make()))
  return {
    settings: { source: 'google', ...settings },
    env: { GOOGLE_APPLICATION_CREDENTIALS: await write() },
    replace: async () => void (await write()),
  }
}

/** Each login is of another subject: the same bytes written again are not a new login. */
async function federated(google: FakeGoogle, from: 'file' | 'url'): Promise<Setup> {
  const provider = await google.workloadProvider()
  return file(google, () => {
    const subject = `workload-${crypto.randomUUID()}`
    google.grant(provider.principal(subject), 'roles/iam.workloadIdentityUser', ORDERS)
    return google.externalAccount({ from, subject, impersonate: ORDERS })
  })
}

export const ROWS: readonly Row[] = [
  {
    credential: 'key',
    setUp: (google) => file(google, () => google.serviceAccountKey(ORDERS)),
    calls: { token: OAUTH },
  },
  {
    credential: 'impersonated',
    setUp(google) {
      google.grant(CI, CREATOR, ORDERS)
      return file(google, async () => google.impersonated(await google.serviceAccountKey(CI), ORDERS))
    },
    calls: { key: OAUTH, impersonate: IAM_ID },
  },
  {
    credential: 'real metadata server',
    async setUp(google) {
      return { settings: { source: `metadata=${google.metadata.host}` }, env: {} }
    },
    calls: { identity: { host: 'metadata.google.internal', path: '/identity' } },
  },
  {
    credential: 'user + impersonation',
    setUp(google) {
      google.grant(ANN, CREATOR, ORDERS)
      return file(google, () => google.userLogin(ANN), { impersonateServiceAccount: [ORDERS] })
    },
    calls: { login: OAUTH, impersonate: IAM_ID },
  },
  {
    credential: 'nested, two delegates',
    setUp(google) {
      const chain = [CI, MIDDLE, FIRST, SECOND, ORDERS]
      for (const [index, from] of chain.slice(0, -1).entries()) google.grant(from, CREATOR, chain[index + 1] ?? '')
      return file(google, async () =>
        google.impersonated(google.impersonated(await google.serviceAccountKey(CI), MIDDLE), [FIRST, SECOND, ORDERS]),
      )
    },
    calls: { key: OAUTH, inner: IAM_ACCESS, outer: IAM_ID },
  },
  {
    credential: 'external account by file',
    setUp: (google) => federated(google, 'file'),
    calls: { exchange: STS, impersonate: IAM_ID },
  },
  {
    credential: 'external account by URL',
    setUp: (google) => federated(google, 'url'),
    calls: { subject: { host: 'idp', path: '/subject-token/' }, exchange: STS, impersonate: IAM_ID },
  },
]
