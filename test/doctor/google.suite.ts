import test, { type ExecutionContext } from 'ava'
import { type FakeGoogle, startFakeGoogle } from '../google/start.ts'
import * as inProcess from './doctor.ts'

/** The certificates of the fake Google are trusted from a process's start. */
const findings = (t: ExecutionContext, flags: string[], env?: NodeJS.ProcessEnv) =>
  inProcess.findings(t, flags, env, inProcess.inAProcess)
const doctor = (t: ExecutionContext, flags: string[], env?: NodeJS.ProcessEnv) =>
  inProcess.doctor(t, flags, env, '', inProcess.inAProcess)

const ANN = 'ann@acme.com'
const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const BILLING = 'billing@acme-dev.iam.gserviceaccount.com'
const CREATOR = 'roles/iam.serviceAccountOpenIdTokenCreator'
const AS_ORDERS = ['--port', '0', '--impersonate-service-account', ORDERS]

/** Ann's login, who may mint as `orders` and nothing else, in the fake Google's directory. */
async function acme(t: ExecutionContext) {
  const google = await startFakeGoogle()
  t.teardown(() => google.close())
  google.grant(ANN, CREATOR, ORDERS)
  google.grant(ANN, 'roles/serviceusage.serviceUsageConsumer', 'acme-dev')
  const login = google.write('adc.json', google.userLogin(ANN, { quotaProject: 'acme-dev' }))
  const env = { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: login }
  return { google, env }
}

function holdsNoSecret(t: ExecutionContext, google: FakeGoogle, text: string): void {
  t.false(text.includes('eyJ'))
  t.true(google.secrets.size > 0)
  for (const secret of google.secrets) t.false(text.includes(secret))
}

test.serial('a login that may impersonate is in order: found, refreshed, minted, its claims shown', async (t) => {
  const { google, env } = await acme(t)
  const { all, of, text } = await findings(t, AS_ORDERS, env)
  t.deepEqual(
    all.filter(({ status }) => status !== 'ok'),
    [],
  )
  t.deepEqual(
    all.map(({ check }) => check),
    [
      'version',
      'port',
      'source',
      'ADC',
      'refresh',
      'quota',
      'API',
      'network',
      'network',
      'clock',
      'orders',
      'shell',
      'alias',
      'compose',
    ],
  )
  t.regex(of('ADC')[0]?.what ?? '', /^user login in \S+adc\.json \(GOOGLE_APPLICATION_CREDENTIALS names it\)$/)
  t.regex(of('refresh')[0]?.what ?? '', /ann@acme\.com/)
  t.is(of('quota')[0]?.what, 'acme-dev (the credential file)')
  t.like(of('orders')[0]?.claims, {
    aud: 'https://doctor.sidemint.invalid',
    email: ORDERS,
    iss: 'https://accounts.google.com',
  })
  t.is(google.count({ path: ':generateIdToken' }), 1)
  holdsNoSecret(t, google, text)
})

test.serial('a login that expired fails with the command that renews it', async (t) => {
  const { google, env } = await acme(t)
  google.requireReauth(ANN)
  const { of, text } = await findings(t, AS_ORDERS, env)
  t.like(of('ADC')[0], { status: 'ok' })
  for (const check of ['refresh', 'orders']) {
    t.like(of(check)[0], { status: 'fail', code: 'REAUTH_REQUIRED' })
    t.regex(of(check)[0]?.fix ?? '', /^gcloud auth application-default login writes another file than GOOGLE_APPLICAT/)
  }
  t.like(of('network'), [{ status: 'ok' }, { status: 'ok' }])
  holdsNoSecret(t, google, text)
})

test.serial('of two accounts the one without a grant fails, with the binding to add', async (t) => {
  const { google, env } = await acme(t)
  const config = google.write(
    'sidemint.yaml',
    `identities:\n- serviceAccount: ${ORDERS}\n  callers: [orders]\n- serviceAccount: ${BILLING}\n`,
  )
  const { exitCode, stdout, stderr } = await doctor(t, ['--port', '0', '--config', config], env)
  t.is(exitCode, 1)
  t.is(stderr, '')
  t.regex(stdout, /^ok {4}orders {3}an ID token as orders@/m)
  t.regex(
    stdout,
    /^FAIL {2}billing {2}IMPERSONATION_DENIED: ann@acme\.com may not mint as billing@\S+ \(iam\.serviceAccounts\.getOpenIdToken\)\n {15}fix: gcloud iam service-accounts add-iam-policy-binding billing@\S+ --member=user:ann@acme\.com --role=roles\/iam\.serviceAccountOpenIdTokenCreator/m,
  )
  holdsNoSecret(t, google, stdout)
})

test.serial('an API that is off and a quota project that is denied fail under their own names too', async (t) => {
  const { google, env } = await acme(t)
  google.disableApi('acme-dev')
  const off = await findings(t, AS_ORDERS, env)
  t.like(off.of('API')[0], { status: 'fail', code: 'API_DISABLED' })
  t.regex(off.of('API')[0]?.fix ?? '', /^gcloud services enable iamcredentials\.googleapis\.com/)
  const denied = await findings(t, AS_ORDERS, { ...env, GOOGLE_CLOUD_QUOTA_PROJECT: 'secret-lab' })
  t.like(denied.of('quota')[0], { status: 'fail', code: 'QUOTA_PROJECT_DENIED' })
  t.regex(denied.of('quota')[0]?.what ?? '', /secret-lab/)
  holdsNoSecret(t, google, off.text + denied.text)
})

test.serial('a clock that is wrong fails beside a network that is well', async (t) => {
  const { google, env } = await acme(t)
  google.clock.offsetMs = 412_000
  const { of } = await findings(t, AS_ORDERS, env)
  t.regex(of('clock')[0]?.what ?? '', /41[123] s behind Google/)
  t.like(of('clock')[0], { status: 'fail' })
})

test.serial('a file that is missing, half written or an untouched user login fails with what to type', async (t) => {
  const { google, env } = await acme(t)
  const missing = await findings(t, ['--port', '0'], { ...env, GOOGLE_APPLICATION_CREDENTIALS: '/nowhere/adc.json' })
  t.like(missing.of('ADC')[0], { status: 'fail', code: 'CREDENTIALS_MISSING' })
  const half = { ...env, GOOGLE_APPLICATION_CREDENTIALS: google.write('half.json', '{"type": "authori') }
  t.like((await findings(t, ['--port', '0'], half)).of('ADC')[0], { status: 'fail', code: 'CREDENTIALS_MALFORMED' })
  const alone = await findings(t, ['--port', '0'], env)
  t.like(alone.of('refresh')[0], { status: 'ok' })
  t.like(alone.of('default')[0], { status: 'fail', code: 'USER_TOKEN_AUDIENCE' })
  t.regex(alone.of('default')[0]?.fix ?? '', /^--impersonate-service-account/)
})

test.serial('a Google that hangs is given up within the time of one mint', async (t) => {
  const { google, env } = await acme(t)
  t.timeout(30_000)
  google.fault({ kind: 'hang' })
  const startedAtMs = Date.now()
  const { of } = await findings(t, AS_ORDERS, env)
  t.true(Date.now() - startedAtMs < 17_000)
  t.like(of('orders')[0], { status: 'fail', code: 'UPSTREAM_TIMEOUT' })
  t.like(of('network')[0], { status: 'fail' })
})

test.serial('a key needs no API and no quota project', async (t) => {
  const { google, env } = await acme(t)
  const key = google.write('key.json', await google.serviceAccountKey(ORDERS))
  const { all, of, text } = await findings(t, ['--port', '0'], { ...env, GOOGLE_APPLICATION_CREDENTIALS: key })
  t.true(all.every(({ status }) => status === 'ok'))
  t.deepEqual(of('API'), [])
  t.is(google.count({ path: ':generateIdToken' }), 0)
  t.like(of('orders')[0]?.claims, { email: ORDERS })
  holdsNoSecret(t, google, text)
})

test.serial('a real metadata server is asked only where it is named', async (t) => {
  const { google } = await acme(t)
  const { of } = await findings(t, ['--port', '0', '--source', `metadata=${google.metadata.host}`])
  t.like(of('vm')[0]?.claims, { email: google.metadata.email })
  t.regex(of('ADC')[0]?.what ?? '', /none is needed/)
})
