import test, { type ExecutionContext } from 'ava'
import { settle } from '../../../src/config/layers.ts'
import { SidemintError } from '../../../src/core/errors.ts'
import { readClaims, type TokenRequest } from '../../../src/core/token.ts'
import { startServer } from '../../../src/server.ts'
import { type FakeGoogle, startFakeGoogle } from '../../google/start.ts'
import { ask } from '../../http-client.ts'
import { AUDIENCE, CREATOR } from './rows.ts'
import { type SourceOptions, sourceFrom } from './source.ts'

const UNIVERSE = 'example-universe.goog'
const ORDERS = 'orders@acme-dev.eu0.iam.gserviceaccount.com'
const BILLING = 'billing@acme-dev.eu0.iam.gserviceaccount.com'

let google: FakeGoogle

test.before(async () => {
  google = await startFakeGoogle({ universes: [UNIVERSE] })
  google.trust()
})

test.after.always(() => google.close())

const sourceOf = (adc: object, options?: SourceOptions) => sourceFrom(google, adc, options)

const idToken = (principal: string) => ({ kind: 'id', principal, audience: AUDIENCE, format: 'full' }) as const
const accessToken = (principal: string | undefined) => ({ kind: 'access', principal, scopes: [] }) as const

/** The hosts that were asked meanwhile. */
async function hostsOf<T>(asking: () => Promise<T>): Promise<string[]> {
  const before = google.calls.length
  await asking()
  return google.calls.slice(before).map(({ host }) => host)
}

async function failureOf(t: ExecutionContext, adc: object, request: TokenRequest, env = {}): Promise<SidemintError> {
  const before = google.calls.length
  const source = sourceOf(adc, { env, allowUserTokens: true })
  const error = (await t.throwsAsync(source.mint(request), { instanceOf: SidemintError })) as SidemintError
  t.is(google.calls.length, before, 'nobody is asked')
  t.deepEqual(google.strangers, [])
  return error
}

test.serial("a key of another universe signs its own bearer, and mints by that universe's IAM alone", async (t) => {
  const other = google.universe(UNIVERSE)
  other.grant(ORDERS, CREATOR, ORDERS)
  const source = sourceOf(await other.serviceAccountKey(ORDERS))
  const hosts = await hostsOf(async () => {
    const { value } = await source.mint(idToken(ORDERS))
    t.like(readClaims(value), { aud: AUDIENCE, email: ORDERS, email_verified: true })
  })
  t.deepEqual(hosts, [`iamcredentials.${UNIVERSE}`])
})

test.serial('its access tokens are signed by itself: nobody is asked', async (t) => {
  const source = sourceOf(await google.universe(UNIVERSE).serviceAccountKey(ORDERS))
  const hosts = await hostsOf(async () => {
    const { value, expiresAtMs } = await source.mint(accessToken(ORDERS))
    t.like(readClaims(value), {
      iss: ORDERS,
      sub: ORDERS,
      scope: 'https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/userinfo.email',
    })
    t.true(Math.abs(expiresAtMs - Date.now() - 3_600_000) < 5_000)
  })
  t.deepEqual(hosts, [])
})

test.serial(
  'it impersonates others of its universe, through delegates and from an impersonated credential',
  async (t) => {
    const other = google.universe(UNIVERSE)
    const first = 'first@acme-dev.eu0.iam.gserviceaccount.com'
    other.grant(ORDERS, CREATOR, first)
    other.grant(first, CREATOR, BILLING)
    const key = await other.serviceAccountKey(ORDERS)
    const hosts = await hostsOf(async () => {
      const source = sourceOf(key, { delegates: [first] })
      t.like(readClaims((await source.mint(idToken(BILLING))).value), { email: BILLING })
      t.regex((await source.mint(accessToken(BILLING))).value, /^ya29\./)
      const nested = sourceOf(other.impersonated(key, [first, BILLING]))
      t.like(readClaims((await nested.mint(idToken(BILLING))).value), { email: BILLING })
    })
    t.deepEqual(new Set(hosts), new Set([`iamcredentials.${UNIVERSE}`]))
  },
)

test.serial('a workload of another universe is exchanged there', async (t) => {
  const other = google.universe(UNIVERSE)
  const { principal } = await other.workloadProvider()
  other.grant(principal('workload'), CREATOR, ORDERS)
  const { token_url, ...adc } = await other.externalAccount({ from: 'file', impersonate: ORDERS })
  for (const credential of [adc, { ...adc, token_url }]) {
    const hosts = await hostsOf(async () => {
      t.like(readClaims((await sourceOf(credential).mint(idToken(ORDERS))).value), { email: ORDERS })
    })
    t.deepEqual(hosts, [`sts.${UNIVERSE}`, `iamcredentials.${UNIVERSE}`])
  }
})

test.serial('a denial on its own account names the account and the role that it lacks', async (t) => {
  const lonely = 'lonely@acme-dev.eu0.iam.gserviceaccount.com'
  const source = sourceOf(await google.universe(UNIVERSE).serviceAccountKey(lonely))
  const error = (await t.throwsAsync(source.mint(idToken(lonely)))) as SidemintError
  t.is(error.code, 'IMPERSONATION_DENIED')
  t.true(error.message.startsWith(`${lonely} may not mint as ${lonely} `))
  t.regex(error.fix, /--role=roles\/iam\.serviceAccountOpenIdTokenCreator/)
})

test.serial('a GOOGLE_CLOUD_UNIVERSE_DOMAIN that is no domain gets no credential', async (t) => {
  const { universe_domain: _, ...key } = await google.universe(UNIVERSE).serviceAccountKey(ORDERS)
  for (const domain of ['evil.example/', 'a b', 'evil.example#', '127.0.0.1', 'googleapis.com.', 'x@evil.example']) {
    const error = await failureOf(t, key, idToken(ORDERS), { GOOGLE_CLOUD_UNIVERSE_DOMAIN: domain })
    t.is(error.code, 'SETTINGS_INVALID', domain)
  }
})

test.serial('GOOGLE_CLOUD_UNIVERSE_DOMAIN counts where the file names no universe', async (t) => {
  const other = google.universe(UNIVERSE)
  other.grant(ORDERS, CREATOR, ORDERS)
  const { universe_domain: _, ...key } = await other.serviceAccountKey(ORDERS)
  const source = sourceOf(key, { env: { GOOGLE_CLOUD_UNIVERSE_DOMAIN: UNIVERSE } })
  t.deepEqual(await hostsOf(() => source.mint(idToken(ORDERS))), [`iamcredentials.${UNIVERSE}`])
})

test.serial('what cannot be done in a universe is refused before anything is sent', async (t) => {
  const key = await google.universe(UNIVERSE).serviceAccountKey(ORDERS)
  const mismatch = await failureOf(t, key, idToken(ORDERS), { GOOGLE_CLOUD_UNIVERSE_DOMAIN: 'googleapis.com' })
  t.is(mismatch.code, 'UNIVERSE_MISMATCH')
  t.is(
    mismatch.message,
    `the credentials belong to the universe ${UNIVERSE}, and GOOGLE_CLOUD_UNIVERSE_DOMAIN is googleapis.com`,
  )
  const login = { ...google.userLogin('ann@acme.com'), universe_domain: UNIVERSE }
  const user = await failureOf(t, login, accessToken(undefined))
  t.is(user.code, 'UNIVERSE_UNSUPPORTED')
  t.is((await failureOf(t, login, idToken(ORDERS))).code, 'UNIVERSE_UNSUPPORTED', 'as a source of impersonation too')
  const workload = { ...(await google.externalAccount({ from: 'file' })), universe_domain: UNIVERSE }
  const exchange = await failureOf(t, workload, idToken(ORDERS))
  t.is(exchange.message, `a token_url at sts.googleapis.com cannot be used in the universe ${UNIVERSE}`)
  const odd = { ...key, universe_domain: 'evil.example/x?' }
  t.is((await failureOf(t, odd, idToken(ORDERS))).code, 'CREDENTIALS_MALFORMED')
})

test.serial('the metadata tree shows the universe of the credentials, and their description names it', async (t) => {
  const path = google.write('key.json', JSON.stringify(await google.universe(UNIVERSE).serviceAccountKey(ORDERS)))
  const server = await startServer({
    settings: settle({ options: { port: 0, source: 'google' } }),
    env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: path },
  })
  t.teardown(() => server.close())
  const { body } = await ask(server.url, '/computeMetadata/v1/universe/universe-domain')
  t.is(body, UNIVERSE)
  t.is(server.credentials, `service account key of ${ORDERS} of the universe ${UNIVERSE}`)
  const local = await startServer({
    settings: settle({ options: { port: 0, source: 'local' } }),
    env: { GOOGLE_CLOUD_UNIVERSE_DOMAIN: UNIVERSE },
  })
  t.teardown(() => local.close())
  t.is((await ask(local.url, '/computeMetadata/v1/universe/universe-domain')).body, UNIVERSE)
})
