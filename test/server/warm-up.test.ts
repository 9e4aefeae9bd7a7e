/** What a server asks Google before anybody asks it, and what the first mint then finds ready. */

import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { startServer } from '../../src/server.ts'
import type { Adc } from '../google/credentials.ts'
import type { FakeGoogle } from '../google/start.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { startGranted } from '../mint/google/granted.ts'
import { ANN, AUDIENCE, CI, CREATOR, MIDDLE, ORDERS } from '../mint/google/rows.ts'
import { recordEvents } from '../recorder.ts'

async function startGoogle(t: ExecutionContext): Promise<FakeGoogle> {
  const google = await startGranted()
  t.teardown(google.close)
  google.grant(CI, CREATOR, MIDDLE)
  google.grant(MIDDLE, CREATOR, ORDERS)
  return google
}

async function start(t: ExecutionContext, google: FakeGoogle, adc: Adc | string, options: object = {}) {
  const path = google.write(`${crypto.randomUUID()}.json`, adc)
  const server = await startServer({
    settings: settle({ options: { port: 0, source: 'google', ...options } }),
    env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: path },
    bounds: { attemptMs: 20_000, totalMs: 40_000, retryDelaysMs: [5, 10] },
    warmUp: true,
  })
  t.teardown(() => server.close())
  const seen = recordEvents(server.events)
  const notices = () => seen.filter(({ type }) => type === 'notice')
  const identity = () => ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)
  return { server, notices, identity }
}

async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(5)
}

/** What was answered, in order of arrival. */
const answered = ({ calls }: FakeGoogle) => calls.filter(({ status }) => status !== undefined)
const paths = (google: FakeGoogle) => answered(google).map(({ host, path }) => `${host}${path}`)

const TOKEN = 'oauth2.googleapis.com/token'
const DISCOVERY = 'iamcredentials.googleapis.com/$discovery/rest'

test.serial('a login that impersonates has its access token and both connections before the first mint', async (t) => {
  const google = await startGoogle(t)
  const { identity, notices } = await start(t, google, google.userLogin(ANN), { impersonateServiceAccount: [ORDERS] })
  await until(() => answered(google).length === 2)
  t.deepEqual(paths(google).toSorted(), [DISCOVERY, TOKEN])
  t.is(google.connections.made, 2)
  t.is((await identity()).status, 200)
  t.is(google.calls.length, 3)
  t.is(google.calls[2]?.grant, 'generateIdToken')
  t.is(google.connections.made, 2)
  t.deepEqual(notices(), [])
})

test.serial('a chain of impersonations is ready up to the last call', async (t) => {
  const google = await startGoogle(t)
  const adc = google.impersonated(await google.serviceAccountKey(CI), MIDDLE)
  const { identity } = await start(t, google, adc, { impersonateServiceAccount: [ORDERS] })
  await until(() => answered(google).length === 3)
  t.deepEqual(
    google.calls.map(({ grant = '' }) => grant).filter((grant) => grant.startsWith('generate')),
    ['generateAccessToken'],
  )
  t.is((await identity()).status, 200)
  t.is(google.calls.length, 4)
})

test.serial('a key that mints for itself has its connection, and no token for an audience', async (t) => {
  const google = await startGoogle(t)
  const { server, identity } = await start(t, google, await google.serviceAccountKey(CI))
  await until(() => answered(google).length === 1)
  t.deepEqual(paths(google), [TOKEN])
  t.is((await identity()).status, 200)
  t.is(google.calls.length, 2)
  t.is(google.connections.made, 1)
  t.is(server.record.totals.asked, 1)
})

test.serial('thirty identities need no more than one', async (t) => {
  const google = await startGoogle(t)
  const identities = Array.from({ length: 30 }, (_, index) => ({
    serviceAccount: `service-${index}@acme-dev.iam.gserviceaccount.com`,
    callers: [`service-${index}`],
    delegates: [],
    hosts: [],
    accounts: [],
  }))
  await start(t, google, google.userLogin(ANN), { identities })
  await until(() => answered(google).length === 2)
  t.deepEqual(paths(google).toSorted(), [DISCOVERY, TOKEN])
})

test.serial('a refused login is one call and one line: not remembered, not unready, not repeated', async (t) => {
  const google = await startGoogle(t)
  const login = google.userLogin(ANN)
  google.revoke(ANN)
  const { server, notices, identity } = await start(t, google, login, { impersonateServiceAccount: [ORDERS] })
  await until(() => notices().length > 0)
  t.like(notices()[0], { level: 'warn' })
  t.is(google.count({ path: '/token' }), 1)
  t.is((await ask(server.url, '/_sidemint/ready')).status, 200)
  t.is((await identity()).status, 403)
  t.is(google.count({ path: '/token' }), 2)
  t.is(notices().length, 1)
})

test.serial(
  'nothing is asked where no mint could succeed: a login alone, and credentials that cannot be read',
  async (t) => {
    const google = await startGoogle(t)
    const alone = await start(t, google, google.userLogin(ANN))
    const broken = await start(t, google, '{"type": "service_account"')
    const key = await start(t, google, await google.serviceAccountKey(CI))
    // Begun last of the three, it is answered last.
    await until(() => answered(google).length === 1)
    t.deepEqual(paths(google), [TOKEN])
    t.is(google.calls[0]?.principal, CI)
    for (const { notices } of [alone, broken, key]) t.deepEqual(notices(), [])
  },
)

test.serial('a server that closes meanwhile says nothing of it', async (t) => {
  const google = await startGoogle(t)
  google.fault({ kind: 'hang' })
  const { server, notices } = await start(t, google, await google.serviceAccountKey(CI))
  await until(() => google.calls.length === 1)
  await server.close()
  await sleep(50)
  t.deepEqual(notices(), [])
})
