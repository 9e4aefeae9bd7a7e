/** docker-compose.yml with no way out of any network: its gates and its stand-in, and a gate in a process of its own. */

import test from 'ava'
import { type Answer, createStack, docker, inspect, startEngine } from './docker.ts'

const SERVICES = ['sidemint', 'orders', 'billing-app', 'ledger-app', 'public-app', 'vault']
const VAULT = 'http://vault:8080'
const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`

const stack = createStack('sidemint-test-offline', { files: ['docker-compose.yml', 'test/compose/offline.yaml'] })

test.before('docker compose up --build --wait', async () => {
  await startEngine()
  await stack.down()
  await stack.compose('up', '--build', '--wait')
})

test.after.always(() => stack.down())

test.serial('every network of every container is one without a way out', async (t) => {
  for (const service of SERVICES) {
    const { Networks } = (await inspect(await stack.container(service))).NetworkSettings
    t.true(Object.keys(Networks).length > 0, service)
    for (const network of Object.keys(Networks)) {
      t.is(await docker('network', 'inspect', '--format', '{{.Internal}}', network), 'true', `${service} ${network}`)
    }
  }
})

/** By itself, since an internal network publishes no port. */
async function askOrders(): Promise<Answer> {
  const { status, body } = await stack.call('orders', 'http://localhost:8080')
  if (status !== 200) throw new Error(body)
  return JSON.parse(body)
}

test.serial("the server's gates admit and refuse, and public verifies with Google's library", async (t) => {
  const { calls } = await askOrders()
  t.is(calls.billing?.caller, at('orders'))
  t.is(calls.billing?.calls.ledger?.caller, at('billing'))
  t.is(calls.ledger?.status, 403)
  t.like(calls.public, { status: 200, caller: at('orders') })
  t.is(calls.public?.claims?.iss, 'https://accounts.google.com')
})

test.serial('a gate in a process of its own does so too, by the keys that the server publishes', async (t) => {
  const admitted = await stack.call('orders', VAULT, VAULT)
  t.is(admitted.status, 200, admitted.body)
  t.is(JSON.parse(admitted.body).caller, at('orders'))
  t.is((await stack.call('billing-app', VAULT, VAULT)).status, 403, 'who is no invoker')
  t.is((await stack.call('orders', VAULT, 'http://billing:8080')).status, 401, 'a token for another service')
  t.is((await stack.call('orders', VAULT)).status, 403, 'no token')
})

test.serial('all of it still does after a restart of sidemint', async (t) => {
  await stack.compose('up', '--detach', '--wait', '--no-deps', '--force-recreate', 'sidemint')
  const { calls } = await askOrders()
  t.like(calls.public, { status: 200, caller: at('orders') })
  t.is((await stack.call('orders', VAULT, VAULT)).status, 200)
})
