/** The stricter layout: a service in its own gate's network. */

import test from 'ava'
import { createStack, startEngine } from './docker.ts'

const BILLING = 'http://billing:8080'

const stack = createStack('sidemint-test-strict', { files: ['test/compose/strict.yaml'] })

test.before('docker compose up', async () => {
  await startEngine()
  await stack.down()
  await stack.compose('up', '--build', '--wait')
})

test.after.always(() => stack.down())

test.serial('its gate lets the invoker in, and nobody without a token', async (t) => {
  const { status, body } = await stack.call('orders', BILLING, BILLING)
  t.is(status, 200, body)
  t.is(JSON.parse(body).caller, 'orders@acme-dev.iam.gserviceaccount.com')
  t.is((await stack.call('orders', BILLING)).status, 403)
})

test.serial('the service gets tokens under the name of its gate', async (t) => {
  t.is((await stack.askToken('billing-app', 'https://a.example')).email, 'billing@acme-dev.iam.gserviceaccount.com')
})

test.serial('it has no name or address of its own, but its port is open to who knows it', async (t) => {
  await t.throwsAsync(stack.call('orders', 'http://billing-app:9000'), { message: /ENOTFOUND/ })
  t.is((await stack.call('orders', 'http://billing:9000')).status, 200)
})
