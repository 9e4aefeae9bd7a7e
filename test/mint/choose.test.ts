import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import { chooseSource } from '../../src/mint/choose.ts'

const home = mkdtempSync(join(tmpdir(), 'sidemint-choose-'))
const login = mkdtempSync(join(tmpdir(), 'sidemint-choose-'))
writeFileSync(join(login, 'application_default_credentials.json'), '{}')
test.after.always(() => {
  for (const path of [home, login]) rmSync(path, { recursive: true, force: true })
})

const CASES: [title: string, options: Record<string, unknown>, env: NodeJS.ProcessEnv, name: string, why: RegExp][] = [
  ['nothing is there', {}, {}, 'local', /no Google credentials were found/],
  [
    'the variable names a file',
    {},
    { GOOGLE_APPLICATION_CREDENTIALS: '/gone' },
    'google',
    /^GOOGLE_APPLICATION_CREDENTIALS is \/gone$/,
  ],
  ["gcloud's directory is named, though empty", {}, { CLOUDSDK_CONFIG: home }, 'google', /CLOUDSDK_CONFIG/],
  [
    'that directory is our own empty one',
    {},
    { CLOUDSDK_CONFIG: home, SIDEMINT_HOST_CLOUDSDK_CONFIG: '' },
    'local',
    /no Google/,
  ],
  ['a login went there', {}, { CLOUDSDK_CONFIG: login, SIDEMINT_HOST_CLOUDSDK_CONFIG: '' }, 'google', /is there/],
  ['an account is to be impersonated', { impersonateServiceAccount: ['a@x', 'b@x'] }, {}, 'google', /b@x/],
  ["gcloud's variable impersonates", {}, { CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT: 'a@x' }, 'google', /IMPERSONATE/],
  [
    'the variable holds no path',
    {},
    { GOOGLE_APPLICATION_CREDENTIALS: '{"a": "S3CRET"}' },
    'google',
    /^GOOGLE_APPLICATION_CREDENTIALS is set, though it does not hold a path$/,
  ],
  [
    'the credentials are in a variable',
    {},
    { SIDEMINT_CREDENTIALS: '{"a": "S3CRET"}' },
    'google',
    /^SIDEMINT_CREDENTIALS is set$/,
  ],
  ['local is asked for beside an empty one', { source: 'local' }, { SIDEMINT_CREDENTIALS: '' }, 'local', /as asked/],
  ['an account is only named', { serviceAccount: 'a@x' }, {}, 'local', /no Google/],
  ['google is asked for', { source: 'google' }, {}, 'google', /as asked/],
  ['local is asked for', { source: 'local' }, { GOOGLE_APPLICATION_CREDENTIALS: '/x' }, 'local', /as asked/],
  ['the metadata server is asked for', { source: 'metadata' }, {}, 'metadata', /169\.254\.169\.254/],
  ['another one is asked for', { source: 'metadata=vm:8080' }, {}, 'metadata', /vm:8080/],
]
for (const [title, options, env, name, why] of CASES) {
  test(`who mints where ${title}: ${name}`, (t) => {
    const choice = chooseSource(settle({ options }), { HOME: home, ...env })
    t.is(choice.name, name as typeof choice.name)
    t.regex(choice.why, why)
  })
}

for (const source of ['auto', 'google']) {
  test(`credentials that are set and empty are misuse, and never local: ${source}`, (t) => {
    for (const SIDEMINT_CREDENTIALS of ['', ' \n']) {
      const error = t.throws(() => chooseSource(settle({ options: { source } }), { HOME: home, SIDEMINT_CREDENTIALS }))
      t.like(error, { code: 'SETTINGS_INVALID' })
      t.regex(error?.message ?? '', /^SIDEMINT_CREDENTIALS: is set and empty/)
    }
  })
}

test('a login in the home directory is found', (t) => {
  const user = mkdtempSync(join(tmpdir(), 'sidemint-choose-'))
  t.teardown(() => rmSync(user, { recursive: true, force: true }))
  const env = { HOME: user, CLOUDSDK_CONFIG: '' }
  t.is(chooseSource(settle({}), env).name, 'local')
  const directory = join(user, '.config', 'gcloud')
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'application_default_credentials.json'), '{}')
  t.like(chooseSource(settle({}), env), {
    name: 'google',
    why: `${join(directory, 'application_default_credentials.json')} is there`,
  })
})
