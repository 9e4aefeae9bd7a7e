/** Who is asking, as a real engine names its containers: each caller gets its own account's token and no other's. */

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { createStack, docker, inspect, METADATA_URL, ROOT, readToken, startEngine } from './docker.ts'

const SHARED = 'sidemint-test.shared'
const PROJECT = 'sidemint-test-identities'
const AUDIENCE = 'https://a.example'
const NOBODY = { status: 404, body: /Service account not enabled on this instance/ }

const stack = createStack(PROJECT, { files: ['test/compose/identities.yaml'] })
const neighbours = createStack('sidemint-test-neighbours', { files: ['test/compose/neighbours.yaml'] })
const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`

async function removeAll() {
  await neighbours.down()
  await stack.down()
  await docker('network', 'rm', '--force', SHARED)
}

async function addressOf(service: string, network: string): Promise<string> {
  return (await inspect(await stack.container(service))).NetworkSettings.Networks[network]?.IPAddress ?? ''
}

/** Where sidemint is on the network that both projects share. */
const sharedUrl = async () => `http://${await addressOf('sidemint', SHARED)}`

const emailOf = async (...asked: Parameters<typeof stack.askToken>) => (await stack.askToken(...asked)).email

test.before('two projects and a network that they share', async () => {
  await startEngine()
  await removeAll()
  await docker('network', 'create', SHARED)
  await stack.compose('up', '--build', '--wait', '--scale', 'orders=3')
  await neighbours.compose('up', '--wait')
})

test.after.always(removeAll)

test.serial('a service is known on each of the networks that it shares with the server', async (t) => {
  for (const url of [METADATA_URL, await sharedUrl()]) {
    t.is(await emailOf('orders', AUDIENCE, { url }), at('orders'), url)
    t.is(await emailOf('billing', AUDIENCE, { url }), at('billing'), url)
  }
})

test.serial('each replica is its service', async (t) => {
  const replicas = (await stack.container('orders')).split('\n')
  t.is(replicas.length, 3)
  for (const replica of replicas) {
    const script = `console.log(await (await fetch(
      '${METADATA_URL}/computeMetadata/v1/instance/service-accounts/default/email',
      { headers: { 'Metadata-Flavor': 'Google' } })).text())`
    t.is(await docker('exec', replica, 'node', '--input-type=module', '--eval', script), at('orders'))
  }
})

test.serial('docker compose run is its service', async (t) => {
  const script = `fetch('${METADATA_URL}/computeMetadata/v1/instance/service-accounts/default/email',
    { headers: { 'Metadata-Flavor': 'Google' } }).then((response) => response.text()).then(console.log)`
  const run = (service: string) => stack.compose('run', '--rm', '--no-deps', '-T', service, 'node', '--eval', script)
  t.is(await run('orders'), at('orders'))
  t.is(await run('billing'), at('billing'))
})

test.serial('a container with a name of its own is known by it', async (t) => {
  t.is(await emailOf('worker', AUDIENCE), at('worker'))
  t.is(await emailOf('worker', AUDIENCE, { url: await sharedUrl() }), at('worker'))
})

test.serial('a service of the same name in another project is another caller', async (t) => {
  const url = await sharedUrl()
  t.is((await neighbours.askToken('orders', AUDIENCE, { url })).email, at('neighbour'))
  const { status, body } = await neighbours.askToken('billing', AUDIENCE, { url })
  t.is(status, NOBODY.status)
  t.regex(body, NOBODY.body)
})

test.serial('who is in no entry gets no token, and the log says how to add it', async (t) => {
  const { status, body } = await stack.askToken('stranger', AUDIENCE)
  t.is(status, NOBODY.status)
  t.regex(body, NOBODY.body)
  t.regex(await stack.compose('logs', '--no-log-prefix', 'sidemint'), /stranger.*callers/)
})

test.serial("a caller gets its own token with the cache warm, and with another's Host", async (t) => {
  const audience = 'https://warm.example'
  t.is(await emailOf('billing', audience), at('billing'))
  t.is(await emailOf('orders', audience), at('orders'))
  t.is(await emailOf('stranger', audience, { host: 'jobs.metadata.internal' }), at('jobs'))
  for (const host of ['jobs.metadata.internal', 'billing', 'metadata.google.internal']) {
    t.is(await emailOf('orders', audience, { host }), at('orders'), host)
  }
})

test.serial("a caller does not get another's token by that one's own listener", async (t) => {
  const { status, body } = await stack.askToken('billing', AUDIENCE, { url: `${METADATA_URL}:16926` })
  t.is(status, NOBODY.status)
  t.regex(body, NOBODY.body)
})

test.serial('each has its own token after a restart in the other order has swapped their addresses', async (t) => {
  await stack.compose('up', '--detach', '--wait', '--scale', 'orders=1')
  const addresses = () => Promise.all(['orders', 'billing'].map((service) => addressOf(service, `${PROJECT}_metadata`)))
  await stack.restartInOrder('orders', 'billing')
  const before = await addresses()
  await stack.restartInOrder('billing', 'orders')
  t.deepEqual(await addresses(), before.toReversed())
  t.is(await emailOf('orders', AUDIENCE), at('orders'))
  t.is(await emailOf('billing', AUDIENCE), at('billing'))
})

test.serial("orders, stopped here and started on the host, gets orders' token by the listener's port", async (t) => {
  await stack.compose('stop', '--timeout', '0', 'orders')
  const home = mkdtempSync(join(tmpdir(), 'sidemint-home-'))
  const script = `
    import { GoogleAuth } from 'google-auth-library'
    const { idTokenProvider } = await new GoogleAuth().getIdTokenClient('${AUDIENCE}')
    console.log(await idTokenProvider.fetchIdToken('${AUDIENCE}'))`
  const env = { HOME: home, GCE_METADATA_HOST: '127.0.0.1:16926', METADATA_SERVER_DETECTION: 'assume-present' }
  const onHost = ['--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, onHost, { cwd: ROOT, env })
  rmSync(home, { recursive: true })
  t.is(readToken({ status: 200, body: stdout.trim() }).email, at('orders'))
})
