import test, { type ExecutionContext } from 'ava'
import { SidemintError } from '../../../src/core/errors.ts'
import type { TokenRequest, TokenSource } from '../../../src/core/token.ts'
import { apiError, errorInfo } from '../../google/answers.ts'
import type { FakeGoogle } from '../../google/start.ts'
import { startGranted } from './granted.ts'
import { ANN, AUDIENCE, CREATOR, ORDERS } from './rows.ts'
import { sourceFrom } from './source.ts'

const REQUEST: TokenRequest = { kind: 'id', principal: ORDERS, audience: AUDIENCE, format: 'full' }
const IAM = 'iamcredentials.googleapis.com'
const OAUTH = 'oauth2.googleapis.com'
const STS = 'sts.googleapis.com'

let google: FakeGoogle

test.before(async () => {
  google = await startGranted()
})

test.after.always(() => google.close())

const sourceOf = (adc: object) => sourceFrom(google, adc)

/** What a mint says while that host refuses with these words. */
async function saidOf(t: ExecutionContext, host: string, status: number, body: object, source: TokenSource) {
  const cancel = google.fault({ kind: 'status', status, body, host })
  const error = (await t
    .throwsAsync(source.mint(REQUEST), { instanceOf: SidemintError })
    .finally(cancel)) as SidemintError
  return error
}

const EMAIL = `a-service-account-with-a-long-name@a-project-with-a-long-name-too.iam.gserviceaccount.com`
const URL = `https://console.developers.google.com/iam-admin/iam/project?project=a-project-with-a-long-name-too`
const POOL = 'projects/123456789012/locations/global/workloadIdentityPools/a-pool-with-a-name/providers/github'
const KEPT = [EMAIL, URL, POOL, `//iam.googleapis.com/${POOL}`, 'constraints/iam.allowedPolicyMemberDomainsInTheOrg/x']
test.serial("Google's reason keeps emails, URLs and names of resources", async (t) => {
  const source = sourceOf(google.userLogin(ANN))
  for (const words of KEPT) {
    const { body } = apiError(403, `Denied for ${words}, by policy.`).answer
    const error = await saidOf(t, IAM, 403, body as object, source)
    t.is(error.message, `${IAM} refused with 403: Denied for ${words}, by policy`)
  }
})

const VPC_ID = 'aXk3Zt-0u_pQ9sTVw7nLrY2mB6cDfGhJ8kEoPqRsTuVwXyZ1234567890AbCdEfGh'
test.serial('the id by which an administrator finds a denial of VPC Service Controls is said', async (t) => {
  const message = `Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: ${VPC_ID}`
  const { body } = apiError(403, message, [errorInfo('SECURITY_POLICY_VIOLATED', { uid: VPC_ID })]).answer
  const source = sourceOf(google.userLogin(ANN))
  const error = await saidOf(t, IAM, 403, body as object, source)
  t.is(error.message, `${IAM} refused with 403: ${message}`)
  const bare = apiError(403, 'Request is prohibited.', [errorInfo('SECURITY_POLICY_VIOLATED', { uid: VPC_ID })]).answer
  const told = await saidOf(t, IAM, 403, bare.body as object, source)
  t.true(told.message.endsWith(`Request is prohibited. vpcServiceControlsUniqueIdentifier: ${VPC_ID}`))
})

const JWT = `eyJhbGciOiJSUzI1NiJ9.${Buffer.from('{"sub":"secret"}').toString('base64url')}.c2lnbmF0dXJl`
const CUT = [
  JWT,
  'ya29.a0AfH6SMB',
  '1//0gLongRefresh',
  'GOCSPX-secretsecret',
  'PHNhbWw6QXNzZXJ0aW9uIFZlcnNpb249IjIuMCIgSUQ9Il8xMjM0NTY3ODkwIj48c2Ft+bDpJc3N1ZXI+/aHR0cHM6==',
  `https://login.example/?token=${'a1B2'.repeat(15)}`,
]
test.serial("a token in Google's reason is cut", async (t) => {
  const source = sourceOf(await google.externalAccount({ from: 'file' }))
  for (const secret of CUT) {
    const body = { error: 'invalid_grant', error_description: `The token ${secret} is not good.` }
    const error = await saidOf(t, STS, 400, body, source)
    t.is(error.code, 'SUBJECT_TOKEN_REFUSED')
    t.regex(error.message, /The token \S*\.\.\.\S* is not good$/)
    t.notRegex(error.message, /eyJ|ya29\.a|1\/\/0|GOCSPX-s|PHNhb|a1B2a1B2/)
  }
})

test.serial('an account that was deleted is not told as a session that ended', async (t) => {
  const body = { error: 'invalid_grant', error_description: 'Account has been deleted' }
  const error = await saidOf(t, OAUTH, 400, body, sourceOf(google.userLogin(ANN)))
  t.is(error.code, 'LOGIN_EXPIRED')
  t.regex(error.message, /Account has been deleted/)
  t.notRegex(error.message, /session/)
})

test.serial(
  'a workload that is denied is told as the subject of the token in hand, quoted where it must be',
  async (t) => {
    const subjects = [
      [
        'repo:acme/orders:ref:refs/heads/main',
        /--member=principal:\S+\/subject\/repo:acme\/orders:ref:refs\/heads\/main /,
      ],
      ['auth0|5f7c8ec7c33c', /--member='principal:\S+\/subject\/auth0\|5f7c8ec7c33c' /],
      [`x'; rm -rf ~ #`, /--member=principal:\S+\/subject\/SUBJECT /],
    ] as const
    const provider = await google.workloadProvider()
    const source = sourceOf(await google.externalAccount({ from: 'file', subject: 'changing' }))
    const closed = 'closed@acme-dev.iam.gserviceaccount.com'
    google.serviceAccount(closed)
    // What ends so soon is not kept, and the next subject token is read.
    google.exchanged.lifetimeSeconds = 30
    t.teardown(() => (google.exchanged.lifetimeSeconds = 3600))
    for (const [subject, member] of subjects) {
      google.write('subject-token-changing', provider.subjectToken(subject))
      const error = (await t.throwsAsync(source.mint({ ...REQUEST, principal: closed }))) as SidemintError
      t.is(error.code, 'IMPERSONATION_DENIED')
      t.regex(error.fix, member)
    }
  },
)

test.serial('the life that a credential file asks of access tokens is asked of Google', async (t) => {
  const provider = await google.workloadProvider()
  google.grant(provider.principal('workload'), CREATOR, ORDERS)
  const adc = await google.externalAccount({ from: 'file', impersonate: ORDERS })
  const source = sourceOf({ ...adc, service_account_impersonation: { token_lifetime_seconds: 600 } })
  const { expiresAtMs } = await source.mint({ kind: 'access', principal: undefined, scopes: [] })
  t.true(Math.abs(expiresAtMs - Date.now() - 600_000) < 5_000)
})

test.serial('delegates of a file are named by email, so that the printed command can be typed', async (t) => {
  const hop = 'hop@acme-dev.iam.gserviceaccount.com'
  google.serviceAccount(hop)
  google.grant(ANN, CREATOR, hop)
  const adc = google.impersonated(google.userLogin(ANN), [hop, ORDERS])
  const error = (await t.throwsAsync(sourceOf(adc).mint({ ...REQUEST, principal: undefined }))) as SidemintError
  t.is(error.code, 'IMPERSONATION_DENIED')
  t.regex(error.fix, /--member=serviceAccount:hop@acme-dev\.iam\.gserviceaccount\.com /)
})

test.serial('a URL that ends in :generateIdToken names the account too', async (t) => {
  const adc = await google.externalAccount({ from: 'file', impersonate: ORDERS })
  const url = String(adc.service_account_impersonation_url).replace('generateAccessToken', 'generateIdToken')
  google.grant((await google.workloadProvider()).principal('workload'), CREATOR, ORDERS)
  await t.notThrowsAsync(sourceOf({ ...adc, service_account_impersonation_url: url }).mint(REQUEST))
})
