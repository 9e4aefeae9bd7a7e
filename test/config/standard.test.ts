import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { standardProject, standardQuotaProject } from '../../src/config/standard.ts'
import { startServer } from '../../src/server.ts'

const home = mkdtempSync(join(tmpdir(), 'sidemint-standard-'))
test.after.always(() => rmSync(home, { recursive: true, force: true }))

const IMPERSONATE = 'CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT'

async function start(t: ExecutionContext, env: NodeJS.ProcessEnv, options: Record<string, unknown> = {}) {
  const settings = settle({ options: { port: 0, source: 'local', ...options } })
  const server = await startServer({ settings, env: { HOME: home, CLOUDSDK_CONFIG: home, ...env } })
  t.teardown(() => server.close())
  return server
}

for (const written of [
  'orders@acme.example',
  '"orders@acme.example"',
  'Orders <orders@acme.example>',
  'serviceAccount:orders@acme.example',
  'projects/-/serviceAccounts/orders@acme.example',
  '"first@acme.example, orders@acme.example"',
]) {
  test(`${IMPERSONATE}=${written} is orders@acme.example`, async (t) => {
    t.is((await start(t, { [IMPERSONATE]: written })).primary.email, 'orders@acme.example')
  })
}

test("gcloud's variable with something else than emails is a wrong setting, where it counts", async (t) => {
  const env = { [IMPERSONATE]: 'orders@acme.example,orders' }
  await t.throwsAsync(start(t, env), {
    code: 'SETTINGS_INVALID',
    message: `${IMPERSONATE}: must be an email, not "orders"`,
  })
  t.is((await start(t, env, { serviceAccount: 'a@acme.example' })).primary.email, 'a@acme.example')
  t.is((await start(t, { [IMPERSONATE]: '' })).primary.email, 'default@sidemint-local.iam.gserviceaccount.com')
})

test('the project of the environment is taken apart, and an empty one is none', async (t) => {
  const email = async (env: NodeJS.ProcessEnv) => (await start(t, env)).primary.email
  t.is(await email({ GOOGLE_CLOUD_PROJECT: '"acme-dev"' }), 'default@acme-dev.iam.gserviceaccount.com')
  t.is(await email({ GOOGLE_CLOUD_PROJECT: 'projects/acme-dev' }), 'default@acme-dev.iam.gserviceaccount.com')
  t.is(await email({ GOOGLE_CLOUD_PROJECT: '', GCLOUD_PROJECT: 'acme' }), 'default@acme.iam.gserviceaccount.com')
  t.is(standardProject({ GOOGLE_CLOUD_PROJECT: 'a', GCLOUD_PROJECT: 'b' }), 'a')
  await t.throwsAsync(start(t, { GOOGLE_CLOUD_PROJECT: 'acme dev' }), {
    code: 'SETTINGS_INVALID',
    message: 'GOOGLE_CLOUD_PROJECT: must be a project id, not "acme dev"',
  })
})

test('a quota project that cannot be one stops the start, before anything is sent to Google', async (t) => {
  t.is(standardQuotaProject({ GOOGLE_CLOUD_QUOTA_PROJECT: "'acme-dev'" }), 'acme-dev')
  for (const source of ['google', 'metadata=127.0.0.1:9']) {
    await t.throwsAsync(start(t, { GOOGLE_CLOUD_QUOTA_PROJECT: '<acme>' }, { source }), {
      code: 'SETTINGS_INVALID',
      message: 'GOOGLE_CLOUD_QUOTA_PROJECT: must be a project id, not "<acme>"',
    })
  }
})
