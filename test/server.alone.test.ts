/** Everything that is kept has a limit: what thousands of audiences leave behind, at each place that keeps. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { failure, SidemintError } from '../src/core/errors.ts'
import { createEvents, type RequestEvent } from '../src/core/events.ts'
import type { Token, TokenRequest, TokenSource } from '../src/core/token.ts'
import { createAnswer } from '../src/http/wire.ts'
import { InspectorRecord } from '../src/inspector/record.ts'
import { createHits, Hit } from '../src/metadata/hits.ts'
import { createCache } from '../src/mint/cache.ts'
import { createLog } from '../src/observe/log.ts'
import { createMetrics } from '../src/observe/metrics.ts'
import { createClock, HOUR } from './clock.ts'

/** What one more audience may add to the memory once all that is kept is full: less than a key or a row of it. */
const SLACK_BYTES_EACH = 80

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const audience = (index: number) => `https://service-${index}-abc123-uc.a.run.app`
const request = (index: number): TokenRequest => ({
  kind: 'id',
  principal: ORDERS,
  audience: audience(index),
  format: 'full',
})

interface Audiences {
  /** So many fill all that is kept. */
  fill: number
  more: number
}

/** Does it once for each audience, and answers by how many bytes each of the later ones made the heap grow. */
async function growth({ fill, more }: Audiences, once: (index: number) => unknown): Promise<number> {
  const held = async (from: number, to: number) => {
    for (let index = from; index < to; index += 1) await once(index)
    collect()
    return process.memoryUsage().heapUsed
  }
  const full = await held(0, fill)
  return ((await held(fill, fill + more)) - full) / more
}

const ENTRIES = 1_000
const CACHED = { fill: 1_500, more: 4_000 }
const ALL_CACHED = CACHED.fill + CACHED.more

function cacheAround(mint: TokenSource['mint'], now: () => number) {
  return createCache({ source: { mint }, settings: { cacheEntries: ENTRIES }, now })
}

test.serial('the cache keeps its entries and no more, and every audience gets its own token', async (t) => {
  const { now } = createClock()
  let mints = 0
  const cache = cacheAround(async (asked) => {
    mints += 1
    return { value: `token for ${'audience' in asked && asked.audience}`, expiresAtMs: now() + HOUR, served: 'mint' }
  }, now)
  let wrong = 0
  const grown = await growth(CACHED, async (index) => {
    const { value } = await cache.mint(request(index))
    if (value !== `token for ${audience(index)}`) wrong += 1
  })
  t.is(wrong, 0)
  t.true(grown < SLACK_BYTES_EACH, `each adds ${grown} bytes`)
  t.is(mints, ALL_CACHED)
  for (let index = ALL_CACHED - ENTRIES; index < ALL_CACHED; index += 1) await cache.mint(request(index))
  t.is(mints, ALL_CACHED, 'the last thousand are hits')
  await cache.mint(request(ALL_CACHED - ENTRIES - 1))
  t.is(mints, ALL_CACHED + 1, 'the one before them is gone')
  cache.close()
})

test.serial('failures are remembered for as many keys and no more', async (t) => {
  let mints = 0
  const { now } = createClock()
  const cache = cacheAround(async () => {
    mints += 1
    throw failure('AUDIENCE_NOT_ALLOWED', { audience: 'a', allowed: 'b' })
  }, now)
  const refused = (index: number) =>
    cache.mint(request(index)).then(
      () => t.fail(),
      () => {},
    )
  const grown = await growth(CACHED, refused)
  t.true(grown < SLACK_BYTES_EACH, `each adds ${grown} bytes`)
  await refused(ALL_CACHED - ENTRIES)
  t.is(mints, ALL_CACHED, 'the last thousand are remembered')
  await refused(ALL_CACHED - ENTRIES - 1)
  t.is(mints, ALL_CACHED + 1, 'the one before them is not')
  cache.close()
})

test.serial('no more than ten thousand mints are under way, and who comes after them is told so', async (t) => {
  const { now } = createClock()
  const waiting: ((token: Token) => void)[] = []
  const cache = cacheAround(() => new Promise((resolve) => waiting.push(resolve)), now)
  const codes = new Map<string, number>()
  const asked = Array.from({ length: 10_100 }, (_, index) =>
    cache.mint(request(index)).then(
      ({ value }) => value,
      (error) => (error instanceof SidemintError ? error.code : 'another error'),
    ),
  )
  await new Promise((resolve) => setImmediate(resolve))
  t.is(waiting.length, 10_000)
  for (const answer of waiting) answer({ value: 'minted', expiresAtMs: now() + HOUR, served: 'mint' })
  for (const outcome of await Promise.all(asked)) codes.set(outcome, (codes.get(outcome) ?? 0) + 1)
  t.deepEqual(Object.fromEntries(codes), { minted: 10_000, MINTS_PENDING: 100 })
  const next = cache.mint(request(10_100))
  await new Promise((resolve) => setImmediate(resolve))
  t.is(waiting.length, 10_001, 'and then there is room again')
  waiting.at(-1)?.({ value: 'minted', expiresAtMs: now() + HOUR, served: 'mint' })
  t.is((await next).value, 'minted')
  cache.close()
})

test.serial('the log and the metrics stay as they are', async (t) => {
  const { now } = createClock()
  const events = createEvents()
  let lines = 0
  const write = () => {
    lines += 1
  }
  events.subscribe(createLog({ format: 'text', level: 'info', colour: false, write, now }).read)
  const metrics = createMetrics(events)
  const failed = (index: number): RequestEvent => ({
    type: 'request',
    at: now(),
    kind: 'id',
    audience: audience(index),
    scopes: [],
    identity: ORDERS,
    caller: `10.0.${index >> 8}.${index & 255}`,
    result: 'error',
    status: 403,
    code: 'IMPERSONATION_DENIED',
    reason: 'refused',
    tookMs: 1,
  })
  const asked = { fill: 1_500, more: 4_000 }
  const grown = await growth(asked, (index) => events.record(failed(index)))
  t.true(grown < SLACK_BYTES_EACH, `each adds ${grown} bytes`)
  t.is(lines, asked.fill + asked.more, 'each is told once')
  const { body } = await metrics.scrape()
  t.true(body.length < 10_000, `${body.length} bytes of metrics`)
  t.false(body.includes('service-'))
})

test.serial('URLs of tokens are kept up to a number and a length', async (t) => {
  const hits = createHits()
  const identity = {}
  const url = (index: number) => `/identity?audience=${audience(index)}`
  const add = (index: number, more = '') => {
    const hit = new Hit({ request: request(index), showsLife: false, answer: () => createAnswer(200, 'a', 'b') })
    hits.add(identity, url(index) + more, hit)
    return hits.get(identity, url(index) + more)
  }
  const grown = await growth({ fill: 3_000, more: 4_000 }, (index) => add(index))
  t.true(grown < SLACK_BYTES_EACH, `each adds ${grown} bytes`)
  t.is(add(0)?.request.kind, 'id')
  t.is(add(1, `&${'x'.repeat(8_000)}`), undefined)
})

test.serial('the inspector keeps its requests, and whose token each was, and no more', async (t) => {
  const { now } = createClock()
  const events = createEvents()
  const record = new InspectorRecord({ events, now, keepHits: true })
  const asked = { kind: 'id', audience: audience(0), scopes: [], caller: 'orders', identity: ORDERS } as const
  const minted = { type: 'request', tookMs: 1, ...asked, result: 'mint', status: 200 } as const
  // What is kept halves each time that ten thousand more have come: after these it is as full as it was.
  const grown = await growth({ fill: 10_500, more: 10_000 }, (index) =>
    events.record({ ...minted, at: now() + index, fp: `${index}` }),
  )
  t.true(grown < SLACK_BYTES_EACH, `each adds ${grown} bytes`)
  const last = record.requests()
  t.is(last.length, 10_000)
  t.deepEqual(
    [last.at(0)?.at, last.at(-1)?.at],
    [now() + 10_500, now() + 20_499],
    'the newest, the oldest of them first',
  )
})

test.serial('the inspector keeps its rows and no more, whatever comes', async (t) => {
  const { now } = createClock()
  const events = createEvents()
  const record = new InspectorRecord({ events, now, keepHits: false })
  const common = { at: now(), tookMs: 1 }
  const wants = { audiences: [audience(0)], trust: ['google'], gcloudAudiences: true, invokers: [] }
  const asked = { kind: 'id', audience: audience(0), scopes: [], identity: ORDERS, status: 200, fp: 'fp' } as const
  events.record({ type: 'request', ...common, ...asked, caller: 'orders', result: 'mint' })
  const calls = { fill: 3_500, more: 4_000 }
  const grown = await growth(calls, (index) => {
    const caller = `caller-${index}`
    events.record({ type: 'request', ...common, ...asked, audience: audience(index), caller, result: 'hit' })
    const call = { host: `service-${index}`, method: 'GET', path: `/${index}`, audience: audience(index), reason: '' }
    const principal = `account-${index}@acme-dev.example`
    // A long one now and then: kept whole, those alone would be more than may be added.
    const claims = { aud: audience(index).padEnd(index % 8 === 0 ? 8_000 : 0, 'x') }
    const decided = { decision: 'allow', code: 'INVOKER', principal, wants, fp: 'fp', claims } as const
    events.record({ type: 'gate', ...common, ...call, ...decided, caller })
  })
  t.true(grown < SLACK_BYTES_EACH, `each adds ${grown} bytes`)
  const { hops, asked: askedRows, arrows } = record.changes()
  for (const rows of [hops, askedRows, arrows, record.grants().grants]) t.true(rows.length <= 2_000)
  t.is(record.totals.calls, calls.fill + calls.more)
})
