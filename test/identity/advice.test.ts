import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import { createEvents } from '../../src/core/events.ts'
import { createIdentities } from '../../src/identity/identities.ts'
import { projectOfEmail } from '../../src/identity/project.ts'

const directory = mkdtempSync(join(tmpdir(), 'sidemint-advice-'))
test.after.always(() => rmSync(directory, { recursive: true, force: true }))

const PEM = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
const key = (email: string) => ({ type: 'service_account', client_email: email, private_key: PEM })
const USER = { type: 'authorized_user', client_id: 'id', client_secret: 'secret', refresh_token: 'refresh' }
const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'

async function make(
  credential: object | undefined,
  options: Record<string, unknown> = {},
  env: NodeJS.ProcessEnv = {},
) {
  const path = join(directory, `${crypto.randomUUID()}.json`)
  if (credential !== undefined) writeFileSync(path, JSON.stringify(credential))
  const identities = await createIdentities({
    settings: settle({ options }),
    env: { HOME: directory, ...(credential === undefined ? {} : { GOOGLE_APPLICATION_CREDENTIALS: path }), ...env },
    issuer: () => 'http://127.0.0.1',
    events: createEvents(),
    now: Date.now,
  })
  identities.tokens.close()
  return identities
}

for (const [title, credential, options, env, project] of [
  ['of the setting', key(ORDERS), { project: 'set' }, { GOOGLE_CLOUD_PROJECT: 'cloud' }, 'set'],
  ['of GOOGLE_CLOUD_PROJECT', key(ORDERS), {}, { GOOGLE_CLOUD_PROJECT: 'cloud', GCLOUD_PROJECT: 'old' }, 'cloud'],
  ['of GCLOUD_PROJECT', key(ORDERS), {}, { GCLOUD_PROJECT: 'old' }, 'old'],
  ['of the key', { ...key(ORDERS), project_id: 'in-file' }, {}, {}, 'in-file'],
  ['that the calls are counted for', { ...USER, quota_project_id: 'quota' }, { serviceAccount: ORDERS }, {}, 'quota'],
  ["of the key's email", key(ORDERS), {}, {}, 'acme-dev'],
  ['of the email that is impersonated', USER, { impersonateServiceAccount: [ORDERS] }, {}, 'acme-dev'],
  ['of the default entry', USER, { identities: [{ serviceAccount: ORDERS }] }, {}, 'acme-dev'],
  ['that is invented', USER, {}, {}, 'sidemint-local'],
  ['that is invented for a local token', undefined, { serviceAccount: ORDERS }, {}, 'sidemint-local'],
] as const) {
  test(`the project that is shown is the one ${title}`, async (t) => {
    const made = await make(credential, options, env)
    t.is(made.project, project)
    const invented = made.advice.some((text) => /nothing names a project, so sidemint-local is shown\. Fix:/.test(text))
    t.is(invented, project === 'sidemint-local' && credential !== undefined)
  })
}

for (const [email, project] of [
  [ORDERS, 'acme-dev'],
  ['acme-dev@appspot.gserviceaccount.com', 'acme-dev'],
  ['x@acme.example.com.iam.gserviceaccount.com', 'example.com:acme'],
  ['123456-compute@developer.gserviceaccount.com', undefined],
  ['ann@acme.com', undefined],
  ['', undefined],
] as const) {
  test(`the project in an email: ${email || 'none'}`, (t) => {
    t.is(projectOfEmail(email), project)
  })
}

const ALONE =
  /^a (\w+ login) alone cannot mint ID tokens: no account to impersonate is set\. Fix: --impersonate-service-account EMAIL/
for (const [title, credential, options, login] of [
  ['a user login', USER, {}, 'user login'],
  ['a workforce login', { ...USER, type: 'external_account_authorized_user' }, {}, 'workforce login'],
  ['a user login that impersonates', USER, { impersonateServiceAccount: [ORDERS] }, undefined],
  ['a user login that may be served as it is', USER, { allowUserTokens: true }, undefined],
  ['a key', key(ORDERS), {}, undefined],
] as const) {
  test(`at start ${login === undefined ? 'nobody is missed' : 'somebody is missed'} for ${title}`, async (t) => {
    const { advice } = await make(credential, options)
    t.deepEqual(
      advice.flatMap((text) => ALONE.exec(text)?.[1] ?? []),
      login === undefined ? [] : [login],
    )
  })
}

test('where only gcloud itself is logged in, the banner says that libraries need the other login', async (t) => {
  const config = join(directory, 'gcloud')
  mkdirSync(config)
  writeFileSync(join(config, 'credentials.db'), '')
  const env = { CLOUDSDK_CONFIG: '/empty', SIDEMINT_HOST_CLOUDSDK_CONFIG: '', HOME: join(directory, 'home') }
  mkdirSync(join(directory, 'home', '.config'), { recursive: true })
  t.deepEqual((await make(undefined, {}, env)).advice, [])
  const login = join(directory, 'home', '.config', 'gcloud')
  mkdirSync(login)
  writeFileSync(join(login, 'credentials.db'), '')
  const { source, advice } = await make(undefined, {}, env)
  t.is(source.name, 'local')
  t.regex(advice.join('\n'), /^gcloud is logged in .*only for itself.*Fix: gcloud auth application-default login$/)
  t.deepEqual((await make(undefined, { source: 'local' }, env)).advice, [], 'local was asked for')
})

test('so it does where CLOUDSDK_CONFIG names the directory, and the file that is missing comes with its fix', async (t) => {
  const config = join(directory, 'mounted')
  mkdirSync(config)
  const without = await make(undefined, {}, { CLOUDSDK_CONFIG: config, GOOGLE_CLOUD_PROJECT: 'x' })
  t.regex(
    without.credentials ?? '',
    /^CREDENTIALS_MISSING: .*\. Fix: gcloud auth application-default login on the host/,
  )
  t.deepEqual(without.advice, [])
  writeFileSync(join(config, 'credentials.db'), '')
  const { advice } = await make(undefined, {}, { CLOUDSDK_CONFIG: config, GOOGLE_CLOUD_PROJECT: 'x' })
  t.regex(advice.join('\n'), /^gcloud is logged in .*only for itself.*Fix: gcloud auth application-default login$/)
})

for (const [title, options, used] of [
  ['nothing else names the default identity', {}, true],
  ['the file names the identities', { identities: [{ serviceAccount: ORDERS, callers: ['orders'] }] }, false],
  ['a setting names it', { serviceAccount: ORDERS }, false],
] as const) {
  test(`gcloud's variable counts only where ${title}: ${used}`, async (t) => {
    const CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT =
      'first@acme-dev.iam.gserviceaccount.com, last@acme-dev.iam.gserviceaccount.com'
    const { all, inherited } = await make(USER, options, { CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT })
    t.deepEqual(
      all.map(({ principal }) => principal),
      [used ? 'last@acme-dev.iam.gserviceaccount.com' : ORDERS],
    )
    t.is(/is set and not used/.test(inherited ?? ''), !used)
  })
}

test('of identities that are all bound the first one is shown, and only names of callers need a look-up', async (t) => {
  const [first, second] = [{ serviceAccount: ORDERS }, { serviceAccount: 'b@acme-dev.iam.gserviceaccount.com' }]
  const make2 = (a: object, b: object) =>
    make(undefined, {
      identities: [
        { ...first, ...a },
        { ...second, ...b },
      ],
    })
  const bound = await make2({ callers: ['10.0.0.0/8'] }, { hosts: ['b'] })
  t.is(bound.primary.email, ORDERS)
  t.false(bound.needNames)
  const mixed = await make2({ callers: ['10.0.0.0/8', 'orders'] }, {})
  t.is(mixed.primary.email, second.serviceAccount)
  t.true(mixed.needNames)
})

test('what the tree shows beside the account follows from settings, credentials and environment', async (t) => {
  const plain = await make(undefined)
  t.like(plain, { projectNumber: '123456789012', universe: 'googleapis.com', namedProject: undefined })
  t.is(plain.primary.email, 'default@sidemint-local.iam.gserviceaccount.com')
  t.is((await make(undefined, { project: 'acme' })).primary.email, 'default@acme.iam.gserviceaccount.com')
  t.is((await make(undefined, { projectNumber: '5' })).projectNumber, '5')
  t.is((await make({ ...key(ORDERS), universe_domain: 'example.goog' })).universe, 'example.goog')
  t.is((await make(key(ORDERS))).universe, 'googleapis.com')
})

test('credentials are described in a few words, or by what is wrong with them', async (t) => {
  const good = await make(key(ORDERS))
  t.regex(good.credentials ?? '', /orders@acme-dev/)
  t.is(good.primary.email, ORDERS)
  t.deepEqual(good.login(), { about: good.credentials })
  const broken = await make({ type: 'nonsense' })
  const login = broken.login()
  t.true(login !== undefined && 'code' in login && 'fix' in login)
  t.regex(broken.credentials ?? '', /^CREDENTIALS_\w+: .*nonsense.*\. Fix: /)
  const local = await make(undefined)
  t.is(local.credentials, undefined)
  t.is(local.login(), undefined)
})
