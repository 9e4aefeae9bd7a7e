import { inspect } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { errorBody, SidemintError } from '../../src/core/errors.ts'
import { readClaims, type TokenRequest, type TokenSource } from '../../src/core/token.ts'
import { type FakeGoogle, startFakeGoogle } from '../google/start.ts'
import { ANN, AUDIENCE, CI, CREATOR, FIRST, MIDDLE, ORDERS, SECOND } from './google/rows.ts'
import { type SourceOptions, sourceFrom } from './google/source.ts'

/** No principal: the credential itself. */
const OWN = undefined
const PLATFORM = 'https://www.googleapis.com/auth/cloud-platform'
const OPEN_ID = 'roles/iam.serviceAccountOpenIdTokenCreator'

let google: FakeGoogle

test.before(async () => {
  google = await startFakeGoogle()
  google.trust()
})

test.after.always(() => google.close())

const sourceOf = (adc: object, options?: SourceOptions) => sourceFrom(google, adc, options)

const idToken = (
  principal: string | undefined = OWN,
  audience = AUDIENCE,
  format: 'full' | 'standard' = 'full',
): TokenRequest => ({
  kind: 'id',
  principal,
  audience,
  format,
})
const accessToken = (principal: string | undefined = OWN, scopes: readonly string[] = []): TokenRequest => ({
  kind: 'access',
  principal,
  scopes,
})

async function claimsOf(source: TokenSource, request: TokenRequest) {
  return readClaims((await source.mint(request)).value)
}

/** The failure, looked over for secrets wherever they may be. */
async function failureOf(t: ExecutionContext, source: TokenSource, request: TokenRequest): Promise<SidemintError> {
  const error = await source.mint(request).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof SidemintError)) throw new Error('it minted, or failed without a code')
  const shown = inspect(error, { depth: null, showHidden: true })
  for (const secret of google.secrets) t.false(shown.includes(secret))
  t.notRegex(shown, /eyJ|ya29\.|1\/\/|GOCSPX/)
  return error
}

test('a service account key mints for any audience, with its email', async (t) => {
  const source = sourceOf(await google.serviceAccountKey(ORDERS))
  for (const audience of [AUDIENCE, 'https://x/?a=1&b=2#f', 'any text']) {
    t.like(await claimsOf(source, idToken(OWN, audience)), { aud: audience, email: ORDERS, email_verified: true })
  }
  t.like(await claimsOf(source, idToken(ORDERS)), { email: ORDERS }, 'its own email is no impersonation')
})

test('access tokens of a key have the scopes that are asked for, or the usual ones', async (t) => {
  const source = sourceOf(await google.serviceAccountKey(ORDERS))
  const { value, expiresAtMs } = await source.mint(accessToken(OWN, [PLATFORM]))
  t.regex(value, /^ya29\./)
  t.true(Math.abs(expiresAtMs - Date.now() - 3_599_000) < 10_000)
  t.not((await source.mint(accessToken())).value, value)
  t.like(await failureOf(t, source, accessToken(OWN, ['no such scope'])), { code: 'SCOPES_REFUSED', status: 400 })
})

test('an impersonated ID token has the email where the format is full, and the numeric azp of Cloud Run', async (t) => {
  google.grant(ANN, OPEN_ID, ORDERS)
  const source = sourceOf(google.userLogin(ANN))
  const full = await claimsOf(source, idToken(ORDERS))
  t.like(full, { aud: AUDIENCE, email: ORDERS, email_verified: true })
  t.regex(String(full?.azp), /^\d+$/)
  const standard = await claimsOf(source, idToken(ORDERS, AUDIENCE, 'standard'))
  t.false('email' in (standard ?? {}))
})

test('an impersonated access token has the scopes that are asked for', async (t) => {
  google.grant(ANN, CREATOR, ORDERS)
  const source = sourceOf(google.userLogin(ANN))
  t.regex((await source.mint(accessToken(ORDERS))).value, /^ya29\./)
  t.like(await failureOf(t, source, accessToken(ORDERS, ['https://example.com/x'])), { code: 'SCOPES_REFUSED' })
})

test('a user login alone is refused before Google is asked, its access tokens too', async (t) => {
  const user = 'refused@acme.com'
  const source = sourceOf(google.userLogin(user))
  const error = await failureOf(t, source, idToken())
  t.like(error, { code: 'USER_TOKEN_AUDIENCE', status: 403 })
  t.true(error.message.includes(AUDIENCE))
  t.regex(error.fix, /--impersonate-service-account/)
  t.like(await failureOf(t, source, accessToken()), { code: 'USER_TOKENS_NOT_ALLOWED', status: 403 })
  t.false(google.calls.some(({ principal }) => principal === user))
})

test('of an audience at most a hundred characters are said', async (t) => {
  const source = sourceOf(google.userLogin('refused@acme.com'))
  for (const [length, said] of [
    [100, 'x'.repeat(100)],
    [101, `${'x'.repeat(100)}...`],
  ] as const) {
    const { message } = await failureOf(t, source, idToken(OWN, 'x'.repeat(length)))
    t.is(/x+(?:\.\.\.)?/.exec(message.replace(/^.*?(?=xx)/, ''))?.[0], said)
  }
})

test('--allow-user-tokens serves the login as it is: the audience is the client id', async (t) => {
  const login = google.userLogin(ANN)
  const source = sourceOf(login, { allowUserTokens: true })
  t.like(await claimsOf(source, idToken()), { aud: login.client_id, email: ANN })
  t.regex((await source.mint(accessToken())).value, /^ya29\./)
  const blind = sourceOf(google.userLogin(ANN, { scopes: [PLATFORM] }), { allowUserTokens: true })
  t.is((await failureOf(t, blind, idToken())).code, 'CREDENTIALS_CANNOT_MINT', 'a login without openid has none')
})

test('a chain of delegates is sent as Google wants it', async (t) => {
  google.grant(CI, CREATOR, FIRST)
  google.grant(FIRST, CREATOR, SECOND)
  google.grant(SECOND, OPEN_ID, ORDERS)
  const source = sourceOf(await google.serviceAccountKey(CI), { delegates: [FIRST, SECOND] })
  t.like(await claimsOf(source, idToken(ORDERS)), { email: ORDERS })
})

test('a denial names the hop that was denied, and the command that grants it', async (t) => {
  const target = 'denied@acme-dev.iam.gserviceaccount.com'
  const hop = 'hop@acme-dev.iam.gserviceaccount.com'
  google.serviceAccount(target)
  google.serviceAccount(hop)
  const login = google.userLogin('bob@acme.com')
  const source = sourceOf(login)
  const direct = await failureOf(t, source, idToken(target))
  t.is(direct.code, 'IMPERSONATION_DENIED')
  t.is(direct.message, `bob@acme.com may not mint as ${target} (iam.serviceAccounts.getOpenIdToken)`)
  t.true(
    direct.fix.startsWith(
      `gcloud iam service-accounts add-iam-policy-binding ${target} --member=user:bob@acme.com --role=${OPEN_ID} `,
    ),
  )
  t.regex(direct.fix, /2 to 7 minutes/)
  const access = await failureOf(t, source, accessToken(target))
  t.regex(access.fix, /--role=roles\/iam.serviceAccountTokenCreator/)
  t.regex(access.message, /iam.serviceAccounts.getAccessToken/)
  const through = sourceOf(login, { delegates: [hop] })
  const delegated = await failureOf(t, through, idToken(target))
  t.regex(delegated.message, /^bob@acme.com may not mint as hop@.*implicitDelegation/)
  google.grant('bob@acme.com', CREATOR, hop)
  const last = await failureOf(t, through, idToken(target))
  t.true(last.message.startsWith(`${hop} may not mint as ${target}`))
  t.true(last.fix.includes(`--member=serviceAccount:${hop}`))
})

test('code, caller and target are in the 240 bytes that PHP shows, however long the names are', async (t) => {
  const email = (name: string) => `${name.padEnd(30, 'x')}@${'acme-'.padEnd(30, 'y')}.iam.gserviceaccount.com`
  google.serviceAccount(email('target'))
  const source = sourceOf(await google.serviceAccountKey(email('caller')))
  const shown = errorBody(await failureOf(t, source, idToken(email('target')))).slice(0, 240)
  for (const word of ['IMPERSONATION_DENIED', email('caller'), email('target')]) t.true(shown.includes(word), word)
})

test('an impersonated credential is a source of impersonation', async (t) => {
  google.grant(CI, CREATOR, MIDDLE)
  google.grant(MIDDLE, CREATOR, ORDERS)
  const source = sourceOf(google.impersonated(await google.serviceAccountKey(CI), MIDDLE))
  t.like(await claimsOf(source, idToken(ORDERS)), { email: ORDERS })
  t.like(await claimsOf(source, idToken(MIDDLE)), { email: MIDDLE })
  t.like(await claimsOf(source, idToken()), { email: MIDDLE })
})

test('a federated workload impersonates in one hop, without a grant of the account on itself', async (t) => {
  for (const from of ['file', 'url'] as const) {
    const account = `${from}@acme-dev.iam.gserviceaccount.com`
    const provider = await google.workloadProvider()
    google.grant(provider.principal(from), OPEN_ID, account)
    const source = sourceOf(await google.externalAccount({ from, subject: from, impersonate: account }))
    t.like(await claimsOf(source, idToken()), { email: account })
    const own = google.calls.filter(({ path }) => path.includes(account))
    t.deepEqual(
      own.map(({ grant, principal }) => [grant, principal]),
      [['generateIdToken', provider.principal(from)]],
    )
  }
})

test('a federated workload without an account has access tokens alone, and may be told to impersonate', async (t) => {
  const provider = await google.workloadProvider()
  google.grant(provider.principal('bare'), OPEN_ID, ORDERS)
  const source = sourceOf(await google.externalAccount({ from: 'file', subject: 'bare' }))
  const one = await source.mint(accessToken(OWN, [PLATFORM]))
  const other = await source.mint(accessToken(OWN, ['https://www.googleapis.com/auth/devstorage.read_only']))
  t.not(one.value, other.value, 'other scopes, another token')
  const error = await failureOf(t, source, idToken())
  t.is(error.code, 'CREDENTIALS_CANNOT_MINT')
  t.regex(error.fix, /--impersonate-service-account/)
  t.like(await claimsOf(source, idToken(ORDERS)), { email: ORDERS })
})

test('a workload that is denied is named by its pool, and its subject is a member that can be granted to', async (t) => {
  google.serviceAccount('closed@acme-dev.iam.gserviceaccount.com')
  const source = sourceOf(await google.externalAccount({ from: 'file', subject: 'nobody' }))
  const error = await failureOf(t, source, idToken('closed@acme-dev.iam.gserviceaccount.com'))
  t.true(error.message.startsWith('the workload of pool ci may not mint as closed@'))
  t.regex(
    error.fix,
    /--member=principal:\/\/iam\.googleapis\.com\/projects\/\d+\/locations\/global\/workloadIdentityPools\/ci\/subject\/nobody /,
  )
})

test.serial('a workforce login impersonates, and keeps the refresh token that replaces its own', async (t) => {
  const login = google.externalAccountAuthorizedUser('eve')
  google.grant(google.workforcePrincipal('eve'), CREATOR, ORDERS)
  const source = sourceOf(login)
  t.like(await claimsOf(source, idToken(ORDERS)), { email: ORDERS })
  t.is((await failureOf(t, source, idToken())).code, 'CREDENTIALS_CANNOT_MINT')
  t.is((await failureOf(t, source, accessToken())).code, 'USER_TOKENS_NOT_ALLOWED')
  const open = sourceOf(login, { allowUserTokens: true })
  const next = google.externalAccountAuthorizedUser('eve').refresh_token
  const cancel = google.fault({
    kind: 'body',
    host: 'sts.googleapis.com',
    path: '/v1/oauthtoken',
    body: { access_token: 'ya29.first', expires_in: 3600, token_type: 'Bearer', refresh_token: next },
    times: 1,
  })
  t.is((await open.mint(accessToken())).value, 'ya29.first')
  cancel()
  google.revoke(google.workforcePrincipal('eve'))
  t.is((await failureOf(t, open, accessToken())).code, 'LOGIN_EXPIRED')
})

test('a GDCH account says that it cannot', async (t) => {
  const source = sourceOf({ type: 'gdch_service_account', project: 'p', name: 'n' })
  t.like(await failureOf(t, source, idToken()), { code: 'CREDENTIALS_UNUSABLE', status: 403 })
  t.like(await failureOf(t, source, accessToken(ORDERS)), { code: 'CREDENTIALS_UNUSABLE' })
})

test('the quota project is sent, from the file or from the variable, which wins', async (t) => {
  google.grant('quota@acme.com', OPEN_ID, ORDERS)
  for (const project of ['acme-file', 'acme-variable']) {
    google.grant('quota@acme.com', 'roles/serviceusage.serviceUsageConsumer', project)
  }
  const login = google.userLogin('quota@acme.com', { quotaProject: 'acme-file' })
  await sourceOf(login).mint(idToken(ORDERS))
  await sourceOf(login, { env: { GOOGLE_CLOUD_QUOTA_PROJECT: 'acme-variable' } }).mint(idToken(ORDERS))
  const sent = google.calls.filter(({ principal, host }) => principal === 'quota@acme.com' && host.startsWith('iam'))
  t.deepEqual(
    sent.map(({ quotaProject }) => quotaProject),
    ['acme-file', 'acme-variable'],
  )
})

test('what Google says about projects and sessions is told with its fix', async (t) => {
  const user = 'carol@acme.com'
  google.grant(user, OPEN_ID, ORDERS)
  const foreign = sourceOf(google.userLogin(user, { quotaProject: 'not-mine' }))
  const quota = await failureOf(t, foreign, idToken(ORDERS))
  t.is(quota.message, 'carol@acme.com may not use the quota project not-mine')
  t.regex(quota.fix, /--member=user:carol@acme\.com/)
  google.grant(user, 'roles/serviceusage.serviceUsageConsumer', 'acme-off')
  google.disableApi('acme-off')
  const off = await failureOf(t, sourceOf(google.userLogin(user, { quotaProject: 'acme-off' })), idToken(ORDERS))
  t.is(off.code, 'API_DISABLED')
  t.regex(off.fix, /^gcloud services enable iamcredentials\.googleapis\.com --project=\S+$/)
  const late = google.userLogin('late@acme.com')
  google.requireReauth('late@acme.com')
  t.is((await failureOf(t, sourceOf(late), idToken(ORDERS))).code, 'REAUTH_REQUIRED')
})

test('a deleted key and an account that does not exist are told apart', async (t) => {
  const key = await google.serviceAccountKey('deleted@acme-dev.iam.gserviceaccount.com')
  google.revoke('deleted@acme-dev.iam.gserviceaccount.com')
  const refused = await failureOf(t, sourceOf(key), idToken())
  t.is(refused.code, 'KEY_REFUSED')
  t.regex(refused.message, /^Google refused the key of deleted@.*Invalid JWT Signature$/)
  t.regex(refused.fix, /gcloud iam service-accounts keys create FILE --iam-account=deleted@acme-dev\.iam\.\S+com$/)
})

test('many at once refresh the login once, and mint once each', async (t) => {
  const user = 'many@acme.com'
  google.grant(user, OPEN_ID, ORDERS)
  const source = sourceOf(google.userLogin(user))
  const audiences = Array.from({ length: 5 }, (_, index) => `https://many-${index}.example`)
  await Promise.all(audiences.map((audience) => source.mint(idToken(ORDERS, audience))))
  const own = google.calls.filter(({ principal }) => principal === user)
  t.is(own.filter(({ grant }) => grant === 'refresh_token').length, 1)
  t.is(own.filter(({ grant }) => grant === 'generateIdToken').length, 5)
})

test.serial('a login that ended while its access token was kept is refreshed, once', async (t) => {
  const user = 'kept@acme.com'
  google.grant(user, OPEN_ID, ORDERS)
  const source = sourceOf(google.userLogin(user))
  await source.mint(idToken(ORDERS))
  const cancel = google.fault({ kind: 'status', status: 401, host: 'iamcredentials.googleapis.com', times: 1 })
  t.like(await claimsOf(source, idToken(ORDERS)), { email: ORDERS })
  cancel()
  t.is(google.calls.filter(({ principal, grant }) => principal === user && grant === 'refresh_token').length, 2)
})
