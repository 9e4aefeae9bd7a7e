import test, { type ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { failure } from '../../src/core/errors.ts'
import { createEvents, type SidemintEvent } from '../../src/core/events.ts'
import { GCLOUD_CLIENT_ID } from '../../src/core/google.ts'
import { noServiceAccount } from '../../src/http/wire.ts'
import type { Caller } from '../../src/identity/callers.ts'
import { createStrangers } from '../../src/metadata/strangers.ts'
import { TokenRequests } from '../../src/metadata/token-request.ts'
import { startServer } from '../../src/server.ts'
import { ask, V1 } from '../http-client.ts'

const JOBS = { serviceAccount: 'jobs@acme-dev.iam.gserviceaccount.com', callers: ['jobs'] }
const ACCOUNTS = `${V1}/instance/service-accounts`

function recorded() {
  const events = createEvents()
  const seen: SidemintEvent[] = []
  events.subscribe((event) => void seen.push(event))
  return {
    events,
    seen,
    requests: () => seen.flatMap((event) => (event.type === 'request' ? [event] : [])),
    notices: () =>
      seen.flatMap((event) => (event.type === 'notice' && event.code === 'CALLER_UNKNOWN' ? [event.text] : [])),
  }
}

async function serve(t: ExecutionContext) {
  const { events, notices, requests } = recorded()
  const settings = settle({ options: { port: 0, source: 'local', identities: [JOBS] } })
  const server = await startServer({ settings, env: {}, events })
  t.teardown(() => server.close())
  const statusOf = async (path: string) => (await ask(server.url, path)).status
  return { notices, requests, statusOf, get: (key: string) => statusOf(`${ACCOUNTS}/${key}`) }
}

for (const key of ['default/?recursive=true', 'default/email', 'default/', 'x@y.example/token', 'default/token']) {
  test(`a caller without an identity is told in the log at any 404 under service-accounts: ${key}`, async (t) => {
    const { get, notices } = await serve(t)
    for (let time = 0; time < 3; time += 1) t.is(await get(key), 404)
    t.is(notices().length, 1)
    t.regex(
      notices()[0] ?? '',
      /^127\.0\.0\.1 has no identity\. Fix: add "callers: \[127\.0\.0\.1\]" to one under identit/,
    )
  })
}

test('a secret in the place of the audience is not told', async (t) => {
  const { get, notices } = await serve(t)
  t.is(await get(`default/identity?audience=${encodeURIComponent('https://ann:canary@a.example/?key=canary')}`), 404)
  t.regex(notices()[0] ?? '', /asked for a token for https:\/\/\*\*\*@a\.example\/\?\*\*\*/)
  t.notRegex(notices()[0] ?? '', /canary/)
})

test('each audience that it asked for is told, once', async (t) => {
  const { get, notices } = await serve(t)
  for (const audience of ['https://a.example', 'https://b.example', 'https://a.example']) {
    t.is(await get(`default/identity?audience=${audience}`), 404)
  }
  t.deepEqual(
    notices().map((text) => /for a token for (\S+)\./.exec(text)?.[1]),
    ['https://a.example', 'https://b.example'],
  )
})

test('the event of a refused request has the audience that was asked for', async (t) => {
  const { get, requests } = await serve(t)
  t.is(await get('default/identity?audience=https://a.example'), 404)
  t.is(await get('default/token'), 404)
  t.deepEqual(
    requests().map(({ kind, audience }) => [kind, audience]),
    [
      ['id', 'https://a.example'],
      ['access', ''],
    ],
  )
})

test('audiences that differ within their first thousand characters are told each, others as one', (t) => {
  const { events, notices } = recorded()
  const { tell } = createStrangers(events, Date.now)
  const same = 'x'.repeat(998)
  for (const [audience, told] of [
    [`a${same}a`, 1],
    [`b${same}a`, 2],
    [`a${same}b`, 3],
    [`a${same}ab`, 3],
  ] as const) {
    tell({ address: '172.18.0.9' }, new URLSearchParams({ audience }))
    t.is(notices().length, told)
  }
})

test('the event of a refused request has at most a thousand characters of the audience, and none where there was none', async (t) => {
  const { get, requests } = await serve(t)
  t.is(await get(`default/identity?audience=${'x'.repeat(1_001)}`), 404)
  t.is(await get('default/identity'), 404)
  t.deepEqual(
    requests().map(({ audience }) => audience),
    ['x'.repeat(1_000), ''],
  )
})

test('gcloud reads every refusal of its own audience as a 404, with the words that it has', (t) => {
  const { events, requests: told } = recorded()
  const requests = new TokenRequests({
    allowAudience: ['*'],
    injected: { next: () => undefined },
    events,
    now: () => 7,
  })
  const refuse = (audience: string, thrown: unknown) =>
    t.throws(() =>
      requests.refuse({ caller: { address: 'a' }, identity: undefined }, { kind: 'id', audience }, 5, thrown),
    )
  const denied = failure('LOGIN_EXPIRED', { caller: 'ann', reason: 'gone' })
  const { code, message, fix } = denied
  t.like(refuse(GCLOUD_CLIENT_ID, denied), { status: 404, code, message, fix })
  t.is(refuse('https://a.example', denied), denied as Error)
  const page = noServiceAccount()
  t.is(refuse(GCLOUD_CLIENT_ID, page), page as Error)
  t.deepEqual(
    told().map(({ status, code, at, tookMs }) => [status, code, at, tookMs]),
    [
      [404, 'LOGIN_EXPIRED', 7, 2],
      [denied.status, 'LOGIN_EXPIRED', 7, 2],
      [404, undefined, 7, 2],
    ],
  )
})

test('nothing is told where the answer is no 404, and nothing of other paths', async (t) => {
  const { get, statusOf, notices } = await serve(t)
  t.is(await get(''), 200)
  t.is(await statusOf(`${V1}/instance/nowhere`), 404)
  t.deepEqual(notices(), [])
})

test('the name of a caller is waited for before a line is written', async (t) => {
  const { events, seen, notices } = recorded()
  const named = Promise.withResolvers<void>()
  const caller: Caller = { address: '172.18.0.9' }
  caller.naming = named.promise.then(() => {
    caller.name = { container: 'acme-orders-1', service: 'orders' }
    caller.naming = undefined
  })
  createStrangers(events, Date.now).tell(caller, new URLSearchParams())
  const requests = new TokenRequests({
    allowAudience: ['*'],
    injected: { next: () => undefined },
    events,
    now: Date.now,
  })
  t.throws(() => requests.refuse({ caller, identity: undefined }, { kind: 'id', audience: '' }, 0, new Error('no')))
  t.deepEqual(seen, [])
  named.resolve()
  await caller.naming
  await new Promise((resolve) => setImmediate(resolve))
  t.regex(notices()[0] ?? '', /^orders \(172\.18\.0\.9\) has no identity/)
  t.like(
    seen.find(({ type }) => type === 'request'),
    { caller: 'orders' },
  )
})
