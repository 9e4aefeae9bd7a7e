/** docker-compose.yml with docker-compose.google.yml over it, and the fake Google on its way out. */

import { chmodSync, chownSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { createStack, inspect, startEngine } from './docker.ts'

const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`
const PRICING = 'https://pricing-3f2a-uc.a.run.app'
const PRICING_NAME = 'pricing-3f2a-uc'

/** The server looks at the file once a second at most: twice that, and the next question finds what it holds. */
const LOOKED_MS = 2_000

/** Whose login it is: neither root nor the image's own user. */
const uid = process.getuid?.() || 1234
const gcloud = mkdtempSync(join(tmpdir(), 'sidemint-gcloud-'))
const ADC = join(gcloud, 'application_default_credentials.json')

const stack = createStack('sidemint-test-stack', {
  files: ['docker-compose.yml', 'docker-compose.google.yml', 'test/compose/google-stack.yaml'],
  variables: { CLOUDSDK_CONFIG: gcloud, UID: String(uid) },
})

test.before('a login that its owner alone can read', async (t) => {
  await startEngine()
  await stack.down()
  if (process.getuid?.() === 0) chownSync(gcloud, uid, uid)
  await stack.compose('up', '--wait', 'google')
  chmodSync(ADC, 0o600)
  await stack.compose('up', '--build', '--wait')
  t.log(`the login is of uid ${uid}`)
})

test.after.always(async () => {
  await stack.down()
  rmSync(gcloud, { recursive: true })
})

test.serial(
  'orders calls a private service on Cloud Run and the local ones, each hop as its own account',
  async (t) => {
    const { status, body } = await stack.askOrders()
    t.is(status, 200, JSON.stringify(body))
    const { billing, ledger, public: open, [PRICING_NAME]: pricing } = body.calls
    const iss = 'https://accounts.google.com'
    t.like(pricing, { status: 200, caller: at('orders'), claims: { iss, aud: PRICING } })
    t.like(ledger, { status: 200, caller: at('orders'), claims: { iss, aud: 'http://ledger:8080' } })
    t.like(billing, { status: 200, caller: at('orders'), claims: { iss, aud: 'http://billing:8080' } })
    t.like(billing?.calls.ledger, { status: 200, caller: at('billing'), claims: { iss, aud: 'http://ledger:8080' } })
    t.like(open, { status: 200, caller: at('orders'), claims: { iss, aud: 'http://public:8080' } })
  },
)

test.serial('the page is not published where tokens are real', async (t) => {
  const ports = await stack.compose('port', 'sidemint', '80').catch(() => '')
  t.notRegex(ports, /:16925/)
})

test.serial('the private service refuses who is no invoker, another audience, and no token', async (t) => {
  const call = async (service: string, audience?: string) => (await stack.call(service, PRICING, audience)).status
  t.is(await call('orders', PRICING), 200)
  t.is(await call('orders', 'http://ledger:8080'), 401)
  t.is(await call('orders'), 403)
})

test.serial('orders differs from the offline one in the services that it is told to call', async (t) => {
  const { Config } = await inspect(await stack.container('orders'))
  const told = Config.Env.map((variable) => variable.split('=')[0] ?? '').filter(
    (name) => !/^(PATH|NODE_|NPM_|YARN_)/.test(name),
  )
  t.deepEqual(told.toSorted(), ['CALLS', 'PORT', 'REFUSED'])
})

test.serial('a login that the host replaces heals the running server', async (t) => {
  const login = JSON.parse(readFileSync(ADC, 'utf8'))
  const replace = async (refresh_token: string) => {
    writeFileSync(`${ADC}.new`, JSON.stringify({ ...login, refresh_token }), { mode: 0o600 })
    if (process.getuid?.() === 0) chownSync(`${ADC}.new`, uid, uid)
    renameSync(`${ADC}.new`, ADC)
    await setTimeout(LOOKED_MS)
  }
  await replace('1//ended')
  const refused = await stack.askToken('orders', 'https://a.example')
  t.is(refused.status, 403)
  t.regex(refused.body, /"LOGIN_EXPIRED"/)
  await replace(login.refresh_token)
  t.is((await stack.askToken('orders', 'https://a.example')).email, at('orders'))
})
