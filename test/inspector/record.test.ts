import test from 'ava'
import { createEvents, type GateEvent, type RequestEvent } from '../../src/core/events.ts'
import { GCLOUD_CLIENT_ID } from '../../src/core/google.ts'
import { InspectorRecord } from '../../src/inspector/record.ts'
import { createClock, MINUTE, SECOND } from '../clock.ts'

const LEDGER = 'https://ledger-abc123-uc.a.run.app'
const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'

const CUT = 'the upstream http://ledger failed: ECONNRESET. Fix: start the service'

function start({ keepHits = false } = {}) {
  const { now, advance } = createClock()
  const events = createEvents()
  const record = new InspectorRecord({ events, now, keepHits })
  const ask = (change: Partial<RequestEvent> = {}) =>
    events.record({
      type: 'request',
      at: now(),
      kind: 'id',
      audience: LEDGER,
      scopes: [],
      identity: ORDERS,
      caller: 'orders',
      result: 'hit',
      status: 200,
      tookMs: 1,
      expiresAtMs: now() + 60 * MINUTE,
      fp: 'aaaaaaaa',
      ...change,
    })
  const call = (change: Partial<GateEvent> = {}) => {
    const event: GateEvent = {
      type: 'gate',
      at: now(),
      decision: 'allow',
      upstreamStatus: 200,
      code: 'INVOKER',
      caller: 'orders',
      host: 'ledger',
      method: 'GET',
      path: '/entries',
      audience: LEDGER,
      principal: ORDERS,
      reason: '',
      tookMs: 1,
      wants: { audiences: [LEDGER], trust: ['google'], gcloudAudiences: true, invokers: [`serviceAccount:${ORDERS}`] },
      fp: 'aaaaaaaa',
      claims: { iss: 'https://accounts.google.com', aud: LEDGER, exp: now() / 1000 + 60, email: ORDERS },
      ...change,
    }
    events.record(event)
    return event
  }
  const cut = (event: GateEvent) =>
    events.record({ type: 'cut', at: now(), call: event, code: 'UPSTREAM_FAILED', reason: CUT })
  return { record, ask, call, cut, now, advance }
}

const REFUSED = {
  decision: 'refuse',
  upstreamStatus: undefined,
  principal: '',
  audience: '',
} as unknown as Partial<GateEvent>

test('the address of a request for a token is the same for the same request and outcome', (t) => {
  const [one, other] = [start(), start()]
  one.ask({ caller: 'web' })
  for (const { ask } of [one, other]) ask({ result: 'error', status: 403, code: 'PERMISSION' })
  const addresses = [one, other].map(({ record }) => record.changes().asked.map(({ address }) => address))
  t.is(addresses[0]?.[1], addresses[1]?.[0])
  t.not(addresses[0]?.[0], addresses[0]?.[1])
  t.regex(addresses[0]?.[0] ?? '', /^asked-[0-9a-f]{8}$/)
})

test('a call is one row: who connected, the account of its token, and when the caller asked for one', (t) => {
  const { record, ask, call, now, advance } = start()
  ask({ result: 'mint' })
  const askedAt = now()
  advance(SECOND)
  call()
  const [hop, ...others] = record.changes().hops
  t.deepEqual(others, [])
  t.like(hop, {
    at: now(),
    lastAt: now(),
    count: 1,
    caller: 'orders',
    service: 'ledger',
    method: 'GET',
    path: '/entries',
    decision: 'allow',
    status: 200,
    code: 'INVOKER',
    account: ORDERS,
    fp: 'aaaaaaaa',
    token: { identity: ORDERS, audience: LEDGER, caller: 'orders', at: askedAt },
    askedAt,
  })
  t.deepEqual(
    hop?.checks.map(({ claim, good }) => [claim, good]),
    [
      ['iss', true],
      ['exp', true],
      ['aud', true],
      ['email', true],
    ],
  )
})

test('of a decision that was broken off no check is called good', (t) => {
  const { record, call } = start()
  call({ ...REFUSED, code: 'INTERNAL', status: 503, reason: 'an error of sidemint itself' })
  t.like(record.changes().hops, [{ code: 'INTERNAL', failed: undefined, checks: [] }])
})

test('a token that somebody else asked for does not change who called', (t) => {
  const { record, ask, call } = start()
  ask({ result: 'mint' })
  call({ caller: 'web' })
  const [hop] = record.changes().hops
  t.is(hop?.caller, 'web')
  t.is(hop?.token?.caller, 'orders')
  t.is(hop?.askedAt, undefined, 'web never asked')
})

test('who asked for a token of a URL on run.app asked for every path there, as the gate has it', (t) => {
  const { record, ask, call, now } = start()
  ask({ result: 'mint', audience: `${LEDGER}/entries` })
  call({ audience: `${LEDGER}/entries` })
  t.is(record.changes().hops[0]?.askedAt, now())
  ask({ result: 'mint', caller: 'web', audience: 'http://ledger/entries' })
  call({ caller: 'web' })
  t.is(record.changes().hops[1]?.askedAt, undefined, 'others must match to the letter')
})

test('equal calls fold into one row that is counted, and others are rows of their own', (t) => {
  const { record, call, now, advance } = start()
  const at = now()
  for (let time = 0; time < 37; time += 1) {
    call()
    advance(SECOND)
  }
  call({ ...REFUSED, code: 'TOKEN_MISSING', status: 403, reason: 'no token. Fix: send one' })
  const { hops, arrows } = record.changes()
  t.deepEqual(
    hops.map(({ count, status, code, failed }) => [count, status, code, failed]),
    [
      [37, 200, 'INVOKER', undefined],
      [1, 403, 'TOKEN_MISSING', 'token'],
    ],
  )
  t.deepEqual([hops[0]?.at, hops[0]?.lastAt], [at, at + 36 * SECOND])
  t.like(arrows[0], { caller: 'orders', service: 'ledger', count: 38, refused: 1, status: 403, code: 'TOKEN_MISSING' })
  t.like(record.totals, { calls: 38, refused: 1 })
})

test('a refused row says which check failed first, and what of the rest is good', (t) => {
  const { record, call, now } = start()
  const claims = { iss: 'https://accounts.google.com', exp: now() / 1000 + 60, email: ORDERS }
  const refused = (code: string, more: object) =>
    call({ ...REFUSED, code, status: 401, claims: { ...claims, ...more } })
  refused('AUDIENCE_WRONG', { aud: 'http://ledger' })
  refused('ISSUER_NOT_TRUSTED', { aud: `${LEDGER}/entries` })
  refused('TOKEN_EXPIRED', { aud: LEDGER, exp: now() / 1000 - 600 })
  refused('NOT_AN_INVOKER', { aud: LEDGER })
  const good = record
    .changes()
    .hops.map(({ failed, checks }) => [failed, ...checks.map((check) => `${check.claim} ${check.good}`)])
  t.deepEqual(good, [
    ['aud', 'iss true', 'exp true', 'aud false', 'email undefined'],
    ['iss', 'iss false', 'exp true', 'aud true', 'email undefined'],
    ['exp', 'iss true', 'exp false', 'aud true', 'email undefined'],
    ['email', 'iss true', 'exp true', 'aud true', 'email false'],
  ])
})

test('plain hits are counted with the last one, and are among the requests only where that was asked for', (t) => {
  const { record, ask, now, advance } = start()
  ask({ result: 'mint' })
  for (let time = 0; time < 5; time += 1) {
    advance(SECOND)
    ask()
  }
  ask({
    caller: 'web',
    result: 'error',
    status: 403,
    code: 'IMPERSONATION_DENIED',
    reason: 'no',
    expiresAtMs: undefined,
  })
  const { asked } = record.changes()
  t.like(asked[0], { caller: 'orders', audience: LEDGER, identity: ORDERS, count: 6, hits: 5, lastAt: now() })
  t.like(asked[1], { caller: 'web', status: 403, code: 'IMPERSONATION_DENIED', reason: 'no', count: 1 })
  t.deepEqual(
    record.requests().map(({ result }) => result),
    ['mint', 'error'],
  )
  t.like(record.totals, { asked: 7, hits: 5, failed: 1 })

  const all = start({ keepHits: true })
  all.ask()
  all.ask()
  t.is(all.record.requests().length, 2)
})

test('requests are listed as they were answered, also where the name of a caller is known only after the next one', (t) => {
  const { record, ask, now, advance } = start({ keepHits: true })
  const answeredAt = now()
  advance(5)
  ask({ result: 'hit' })
  ask({ result: 'mint', at: answeredAt })
  t.deepEqual(
    record.requests().map(({ result }) => result),
    ['mint', 'hit'],
  )
})

test("requests for gcloud's own audience are shown where all are asked for", (t) => {
  const { record, ask } = start({ keepHits: true })
  ask({ audience: GCLOUD_CLIENT_ID, result: 'error', status: 404 })
  ask()
  t.deepEqual(
    record.requests().map(({ audience }) => audience),
    [LEDGER],
  )
  t.is(record.requests(true).length, 2)
})

test('only rows that changed are given after a version, and another epoch begins when the record is emptied', (t) => {
  const { record, ask, call } = start()
  ask({ result: 'mint' })
  call()
  const { version, epoch } = record
  t.deepEqual(record.changes(version), { hops: [], asked: [], arrows: [] })
  ask()
  t.deepEqual(
    Object.values(record.changes(version)).map(({ length }) => length),
    [0, 1, 0],
  )
  record.clear()
  t.not(record.epoch, epoch)
  t.deepEqual(record.changes(), { hops: [], asked: [], arrows: [] })
  t.deepEqual(record.requests(), [])
  t.like(record.totals, { calls: 0, asked: 0 })
  t.is(record.grants().grants.length, 1, 'grants are kept')
  record.clearGrants()
  t.is(record.grants().grants.length, 0)
})

test('of a row it is said how many of its answers broke off, and why the last one did', (t) => {
  const { record, call, cut, now, advance } = start()
  for (let time = 0; time < 3; time += 1) {
    advance(SECOND)
    const event = call()
    if (time > 0) cut(event)
  }
  t.like(record.changes().hops, [{ count: 3, status: 200, cut: { count: 2, lastAt: now(), reason: CUT } }])
  const late = call({ path: '/late' })
  record.clear()
  cut(late)
  t.deepEqual(record.changes().hops, [], 'what was emptied stays so')
})

test('a grant is one row for a service and a member, whether it was there or missing', (t) => {
  const { record, ask, call } = start()
  ask({ result: 'mint', fp: 'bbbbbbbb', identity: 'web@acme-dev.iam.gserviceaccount.com' })
  for (let time = 0; time < 3; time += 1) call()
  call({ ...REFUSED, code: 'NOT_AN_INVOKER', principal: 'ann@acme.example' })
  call({ decision: 'report', code: 'NOT_AN_INVOKER', principal: '104857600000000000001', fp: 'bbbbbbbb', claims: {} })
  call({ host: 'public', code: 'PUBLIC', principal: '', audience: '' })
  call({ ...REFUSED, code: 'TOKEN_MISSING' })
  call({ ...REFUSED, code: 'NOT_AN_INVOKER', principal: '999', fp: 'cccccccc', claims: {} })
  const { grants, most, forgotten } = record.grants()
  t.deepEqual(
    grants.map(({ service, member, granted, count }) => [service, member, granted, count]),
    [
      ['ledger', `serviceAccount:${ORDERS}`, true, 3],
      ['ledger', 'user:ann@acme.example', false, 1],
      ['ledger', 'serviceAccount:web@acme-dev.iam.gserviceaccount.com', false, 1],
      ['public', 'allUsers', true, 1],
    ],
  )
  t.deepEqual([most, forgotten], [2_000, 0])
})

test('what somebody sent is cut and made visible', (t) => {
  const { record, ask, call } = start()
  ask({ audience: `https://a.example/<script>\u202e${'x'.repeat(8_000)}`, result: 'mint' })
  call({
    path: '/\u202e<b>',
    claims: {
      aud: 'y'.repeat(8_000),
      nested: { a: ['\u0000'] },
      whole: 'z'.repeat(300),
      ['n'.repeat(8_000)]: 'long',
      ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, i])),
    },
  })
  const { asked, hops } = record.changes()
  t.true((asked[0]?.audience.length ?? 0) < 1_100)
  t.true(asked[0]?.audience.startsWith('https://a.example/<script>\\u202e'))
  t.is(hops[0]?.path, '/\\u202e<b>')
  t.is(String(hops[0]?.claims?.aud).length, 301)
  t.is(Object.keys(hops[0]?.claims ?? {}).length, 30)
  t.is(hops[0]?.claims?.nested, '{"a":["\\u0000"]}')
  t.is(hops[0]?.claims?.whole, 'z'.repeat(300), 'what just fits is not cut')
  t.is(hops[0]?.claims?.[`${'n'.repeat(300)}…`], 'long')
})

test('beyond its limit each kind of row forgets the half that was touched longest ago, and says so', (t) => {
  const { record, ask, call } = start()
  ask({ audience: 'https://often.example', result: 'mint' })
  for (let index = 0; index < 2_100; index += 1) {
    ask({ audience: `https://${index}.example`, result: 'mint', fp: `${index}` })
    if (index % 100 === 0) ask({ audience: 'https://often.example' })
    call({ path: `/${index}` })
  }
  const { asked, hops, arrows } = record.changes()
  t.true(asked.length <= 2_000 && hops.length <= 2_000)
  t.like(
    asked.find(({ audience }) => audience === 'https://often.example'),
    { count: 22 },
    'the busy one stays',
  )
  t.is(hops.at(-1)?.path, '/2099')
  t.like(arrows, [{ count: 2_100 }])
  t.is(record.bounds().hops.forgotten, 2_100 - hops.length)
  t.is(record.bounds().asked.forgotten, 2_101 - asked.length)
  ask({ audience: 'https://2099.example' })
  t.is(record.changes().asked.at(-1)?.count, 2, 'what is kept is found again')
})
