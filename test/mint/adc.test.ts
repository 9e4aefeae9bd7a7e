import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { SidemintError } from '../../src/core/errors.ts'
import { locateAdc, misplacedLogin, readAdc, refuseMisplacedLogin } from '../../src/mint/adc.ts'

const FILE = 'application_default_credentials.json'
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const KEY = { type: 'service_account', client_email: 'ci@acme-dev.iam.gserviceaccount.com', private_key: PEM }
const USER = { type: 'authorized_user', client_id: 'id', client_secret: 'GOCSPX-x', refresh_token: '1//refresh' }
const URL_OF = (email: string) =>
  `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:generateAccessToken`

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sidemint-adc-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function read(t: ExecutionContext, content: unknown) {
  const path = join(directory(t), 'adc.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return readAdc({ path, why: 'a test says so' })
}

async function failureOf(t: ExecutionContext, reading: Promise<unknown>): Promise<SidemintError> {
  return t.throwsAsync(reading, { instanceOf: SidemintError }) as Promise<SidemintError>
}

const PLACES: [title: string, env: NodeJS.ProcessEnv, path: string][] = [
  ['the variable names the file', { GOOGLE_APPLICATION_CREDENTIALS: '/k.json', CLOUDSDK_CONFIG: '/c' }, '/k.json'],
  ["gcloud's directory holds it", { CLOUDSDK_CONFIG: '/c', HOME: '/h' }, `/c/${FILE}`],
  [
    'empty variables are unset',
    { GOOGLE_APPLICATION_CREDENTIALS: '', CLOUDSDK_CONFIG: '', HOME: '/h' },
    `/h/.config/gcloud/${FILE}`,
  ],
  ['the home directory is the last place', { HOME: '/h' }, `/h/.config/gcloud/${FILE}`],
  [
    'what `sidemint env` hid is looked at',
    { CLOUDSDK_CONFIG: '/empty', SIDEMINT_HOST_CLOUDSDK_CONFIG: '/c' },
    `/c/${FILE}`,
  ],
  [
    'it may have hidden nothing',
    { CLOUDSDK_CONFIG: '/empty', SIDEMINT_HOST_CLOUDSDK_CONFIG: '', HOME: '/h' },
    `/h/.config/gcloud/${FILE}`,
  ],
]
for (const [title, env, path] of PLACES) {
  test(`where the credentials are: ${title}`, (t) => {
    t.is(locateAdc(env).path, path)
  })
}

test('each form of credential is read for what is asked of it', async (t) => {
  t.like(await read(t, KEY), { credential: { kind: 'key', email: KEY.client_email } })
  t.like(await read(t, { ...KEY, project_id: 'acme' }), { project: 'acme' })
  t.like(await read(t, { ...USER, quota_project_id: 'quota' }), { credential: { kind: 'user' }, quotaProject: 'quota' })
  t.like(await read(t, { type: 'gdch_service_account' }), { credential: { kind: 'gdch' } })
  t.like(await read(t, { ...USER, type: 'external_account_authorized_user' }), { credential: { kind: 'workforce' } })
})

test('impersonation is read through every layer, and its quota project where the layer has it', async (t) => {
  const inner = {
    type: 'impersonated_service_account',
    service_account_impersonation_url: URL_OF('middle@x'),
    source_credentials: USER,
  }
  const outer = {
    type: 'impersonated_service_account',
    service_account_impersonation_url: URL_OF('orders@x'),
    delegates: ['a@x'],
    source_credentials: { ...inner, quota_project_id: 'inner' },
  }
  t.like(await read(t, outer), {
    quotaProject: 'inner',
    credential: {
      kind: 'impersonated',
      email: 'orders@x',
      delegates: ['a@x'],
      source: { kind: 'impersonated', email: 'middle@x', source: { kind: 'user' } },
    },
  })
})

test('a federated credential with an account is an impersonation of our own', async (t) => {
  const workload = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/x',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    credential_source: { file: '/token' },
  }
  t.like(await read(t, workload), { credential: { kind: 'federated' } })
  const { credential } = await read(t, { ...workload, service_account_impersonation_url: URL_OF('orders%40x') })
  t.like(credential, { kind: 'impersonated', email: 'orders@x', delegates: [], source: { kind: 'federated' } })
  t.false(JSON.stringify(credential).includes('generateAccessToken'), 'or the library would impersonate first')
})

test('a file that is not there names where it was looked for', async (t) => {
  const error = await failureOf(
    t,
    readAdc({ path: '/nowhere/adc.json', why: 'GOOGLE_APPLICATION_CREDENTIALS names it' }),
  )
  t.like(error, { code: 'CREDENTIALS_MISSING', status: 403 })
  t.is(error.message, 'no Google credentials at /nowhere/adc.json (GOOGLE_APPLICATION_CREDENTIALS names it)')
  t.regex(error.fix, /^gcloud auth application-default login/)
})

const BROKEN: [title: string, content: unknown, reason: RegExp][] = [
  ['an empty file', '', /it is empty/],
  ['a half written file', JSON.stringify(USER).slice(0, 40), /half written/],
  ['a list', '[]', /it has no type/],
  ['a number', '7', /no JSON object/],
  ['no type', {}, /it has no type/],
  ['an unknown type', { type: 'magic' }, /its type "magic" is unknown/],
  ['a login without its refresh token', { ...USER, refresh_token: '' }, /authorized_user lacks a usable refresh_token/],
  ['a key that is no key', { ...KEY, private_key: 'PEM' }, /service_account lacks a usable private_key/],
  ['two fields short', { type: 'authorized_user', client_id: 'id' }, /lacks a usable client_secret, refresh_token/],
  [
    'an impersonation of nobody',
    { type: 'impersonated_service_account', service_account_impersonation_url: 'https://x/', source_credentials: USER },
    /names no service account/,
  ],
  [
    'a broken source',
    {
      type: 'impersonated_service_account',
      service_account_impersonation_url: URL_OF('a@x'),
      source_credentials: { type: 'authorized_user' },
    },
    /authorized_user lacks/,
  ],
  [
    'a workload without a source',
    { type: 'external_account', audience: 'a', subject_token_type: 'b' },
    /credential_source/,
  ],
]
for (const [title, content, reason] of BROKEN) {
  test(`a credential file is refused with its reason: ${title}`, async (t) => {
    const error = await failureOf(t, read(t, content))
    t.like(error, { code: 'CREDENTIALS_MALFORMED', status: 403 })
    t.regex(error.message, reason)
    t.notRegex(`${error.message}${error.fix}`, /1\/\/|GOCSPX|BEGIN/)
  })
}

test('a directory in the place of the file is what Docker leaves', async (t) => {
  const error = await failureOf(t, readAdc({ path: directory(t), why: 'x' }))
  t.is(error.code, 'CREDENTIALS_MALFORMED')
  t.regex(error.message, /Docker makes one/)
})

/** Root may read everything, so for root this is another user. */
const uid = process.getuid?.() === 0 ? 65_532 : process.getuid?.()

async function asUser<T>(run: () => Promise<T>): Promise<T> {
  const before = process.geteuid?.() ?? 0
  if (uid !== undefined) process.seteuid?.(uid)
  try {
    return await run()
  } finally {
    process.seteuid?.(before)
  }
}

test.serial('a file that may not be read names uid, mode and owner, and the line for compose', async (t) => {
  const path = join(directory(t), 'adc.json')
  const owner = process.getuid?.()
  const see = async (whose: string, mode: string) => {
    const error = await asUser(() => failureOf(t, readAdc({ path, why: 'x' })))
    t.like(error, { code: 'CREDENTIALS_UNREADABLE', status: 403 })
    t.is(error.message, `${path} is there, but uid ${uid} may not read it (${whose} is uid ${owner}, mode ${mode})`)
    t.is(error.fix, `run as its owner, in compose: user: "${owner}" (do not chmod the file)`)
  }
  writeFileSync(path, JSON.stringify(USER))
  chmodSync(path, 0o200)
  chmodSync(dirname(path), 0o755)
  await see('its owner', '0200')
  chmodSync(dirname(path), 0o600)
  await see("its directory's owner", '0600')
  chmodSync(dirname(path), 0o700)
})

test('a login that went to the empty directory is an error that says where to log in', async (t) => {
  const empty = directory(t)
  const env = (host: string) => ({ CLOUDSDK_CONFIG: empty, SIDEMINT_HOST_CLOUDSDK_CONFIG: host })
  t.is(misplacedLogin(env('')), join(empty, FILE))
  t.is(misplacedLogin({ CLOUDSDK_CONFIG: empty }), undefined)
  await t.notThrowsAsync(refuseMisplacedLogin(env('')))
  writeFileSync(join(empty, FILE), '{}')
  const plain = await failureOf(t, refuseMisplacedLogin(env('')))
  t.is(plain.code, 'LOGIN_MISPLACED')
  t.is(plain.fix, `rm ${join(empty, FILE)}; then env -u CLOUDSDK_CONFIG gcloud auth application-default login`)
  const other = await failureOf(t, refuseMisplacedLogin(env('/work')))
  t.regex(other.fix, /; then CLOUDSDK_CONFIG=\/work gcloud auth application-default login$/)
  await t.notThrowsAsync(refuseMisplacedLogin({ CLOUDSDK_CONFIG: empty }))
})
