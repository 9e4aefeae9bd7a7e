import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { failure, SidemintError } from '../../src/core/errors.ts'
import type { MintEvent } from '../../src/core/events.ts'
import { shownAudience } from '../../src/core/secrets.ts'
import { cacheKey, type Token, type TokenRequest } from '../../src/core/token.ts'
import { type CacheOptions, createCache } from '../../src/mint/cache.ts'
import { Eviction } from '../../src/mint/eviction.ts'
import { createSteadyClock } from '../../src/mint/freshness.ts'
import { createClock, HOUR, MINUTE, SECOND } from '../clock.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'

const id = (audience = 'https://a.example'): TokenRequest => ({
  kind: 'id',
  principal: EMAIL,
  audience,
  format: 'standard',
})
const access = (...scopes: string[]): TokenRequest => ({ kind: 'access', principal: EMAIL, scopes })

const transient = () => failure('INJECTED', { left: '0' })
const permanent = () => failure('AUDIENCE_NOT_ALLOWED', { audience: 'a', allowed: 'b' })

interface Call {
  request: TokenRequest
  signal: AbortSignal | undefined
  succeed(lifeMs?: number): void
  fail(error: unknown): void
}

/** A cache around a source that does with each mint what the test says; it succeeds until told otherwise. */
function setUp({ entries = 100, ...more }: Pick<CacheOptions, 'wait' | 'elapsed'> & { entries?: number } = {}) {
  const clock = createClock()
  const calls: Call[] = []
  const events: MintEvent[] = []
  const behaviour = { onMint: (call: Call) => call.succeed() }
  const cache = createCache({
    source: {
      mint: (request, signal) =>
        new Promise<Token>((resolve, reject) => {
          const value = `token ${calls.length + 1}`
          const call: Call = {
            request,
            signal,
            succeed: (lifeMs = HOUR) => resolve({ value, expiresAtMs: clock.now() + lifeMs, served: 'mint' }),
            fail: reject,
          }
          calls.push(call)
          behaviour.onMint(call)
        }),
    },
    ...more,
    settings: { cacheEntries: entries },
    now: clock.now,
    onMint: (event) => events.push(event),
  })
  const hang = () => {
    behaviour.onMint = () => {}
  }
  const failWith = (make: () => unknown) => {
    behaviour.onMint = (call) => call.fail(make())
  }
  const recover = () => {
    behaviour.onMint = (call) => call.succeed()
  }
  return { clock, cache, calls, events, behaviour, hang, failWith, recover }
}

/** Lets everything that is ready happen. */
const settled = () => sleep(1)

async function errorOf(promise: Promise<unknown>): Promise<SidemintError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof SidemintError) return error
    throw error
  }
  throw new Error('it did not fail')
}

/** How old an ID token may be: docs/wire.md, "ID tokens". */
const AGES = [
  { age: 0, served: 'hit', refreshed: false },
  { age: 4 * MINUTE - 1, served: 'hit', refreshed: false },
  { age: 4 * MINUTE, served: 'hit', refreshed: true },
  { age: 5 * MINUTE, served: 'hit', refreshed: true },
  { age: 5 * MINUTE + 1, served: 'mint', refreshed: true },
  { age: 59 * MINUTE, served: 'mint', refreshed: true },
] as const
for (const { age, served, refreshed } of AGES) {
  test(`an ID token of ${age} ms is a ${served} and ${refreshed ? 'minted anew' : 'left as it is'}`, async (t) => {
    const { clock, cache, calls } = setUp()
    await cache.mint(id())
    clock.advance(age)
    t.is((await cache.mint(id())).served, served)
    await settled()
    t.is(calls.length, refreshed ? 2 : 1)
  })
}

/** How much of an access token must be left: docs/wire.md, "Access tokens". */
const LIVES_LEFT = [
  { left: 10 * MINUTE + 1, served: 'hit', refreshed: false },
  { left: 10 * MINUTE, served: 'hit', refreshed: true },
  { left: 5 * MINUTE + 1, served: 'hit', refreshed: true },
  { left: 5 * MINUTE, served: 'mint', refreshed: true },
  { left: 1, served: 'mint', refreshed: true },
] as const
for (const { left, served, refreshed } of LIVES_LEFT) {
  test(`an access token with ${left} ms left is a ${served} and ${refreshed ? 'minted anew' : 'left as it is'}`, async (t) => {
    const { clock, cache, calls } = setUp()
    await cache.mint(access())
    clock.advance(HOUR - left)
    t.is((await cache.mint(access())).served, served)
    await settled()
    t.is(calls.length, refreshed ? 2 : 1)
  })
}

const SHORT_LIVES = [
  { life: 10 * MINUTE, age: 5 * MINUTE - 1, served: 'hit' },
  { life: 10 * MINUTE, age: 5 * MINUTE, served: 'mint' },
  { life: 299 * SECOND, age: 149 * SECOND, served: 'hit' },
  { life: 299 * SECOND, age: 150 * SECOND, served: 'mint' },
  { life: 80 * SECOND, age: 39 * SECOND, served: 'hit' },
  { life: 80 * SECOND, age: 40 * SECOND, served: 'mint' },
] as const
for (const { life, age, served } of SHORT_LIVES) {
  test(`an access token of ${life} ms is a ${served} after ${age} ms`, async (t) => {
    const { clock, cache, behaviour, recover } = setUp()
    behaviour.onMint = (call) => call.succeed(life)
    await cache.mint(access())
    clock.advance(age)
    recover()
    t.is((await cache.mint(access())).served, served)
  })
}

test('an access token of five minutes is replaced behind an answer before it is half used', async (t) => {
  const { clock, cache, calls, behaviour } = setUp()
  behaviour.onMint = (call) => call.succeed(299 * SECOND)
  await cache.mint(access())
  clock.advance(59 * SECOND)
  await cache.mint(access())
  await settled()
  t.is(calls.length, 1)
  clock.advance(SECOND)
  t.like(await cache.mint(access()), { value: 'token 1', served: 'hit' })
  await settled()
  t.is(calls.length, 2)
})

test('a request during a refresh never waits, and the refresh runs once', async (t) => {
  const { clock, cache, calls, hang } = setUp()
  await cache.mint(id())
  clock.advance(4 * MINUTE)
  hang()
  const served = await Promise.all(Array.from({ length: 50 }, () => cache.mint(id())))
  t.true(served.every((token) => token.value === 'token 1' && token.served === 'hit'))
  t.is(calls.length, 2)
  calls[1]?.succeed()
  await settled()
  t.is((await cache.mint(id())).value, 'token 2')
})

test('a refresh that fails is not tried again while its failure is remembered, and the token is still served', async (t) => {
  const { clock, cache, calls, failWith } = setUp()
  await cache.mint(id())
  clock.advance(4 * MINUTE)
  failWith(transient)
  for (let request = 0; request < 5; request++) {
    t.is((await cache.mint(id())).served, 'hit')
    await settled()
  }
  t.is(calls.length, 2)
  clock.advance(3 * SECOND)
  await cache.mint(id())
  t.is(calls.length, 3)
})

for (const [kind, request, ageMs] of [
  ['ID', id(), 6 * MINUTE],
  ['access', access(), 56 * MINUTE],
] as const) {
  test(`an ${kind} token past its limit is served stale where no fresh one comes within 300 ms`, async (t) => {
    const { clock, cache, calls, hang } = setUp()
    await cache.mint(request)
    clock.advance(ageMs)
    hang()
    const startedAt = performance.now()
    const first = await cache.mint(request)
    t.true(performance.now() - startedAt > 280, 'it was given the time')
    t.like(first, { value: 'token 1', served: 'stale', first: true })
    const second = await cache.mint(request)
    t.is(second.served, 'stale')
    t.falsy(second.first, 'said once')
    t.is(calls.length, 2, 'both waited for the same mint')
    calls[1]?.succeed()
    await settled()
    t.like(await cache.mint(request), { value: 'token 2', served: 'hit', first: true })
  })

  test(`an ${kind} token past its limit is served stale at once where its mint fails for a passing reason`, async (t) => {
    const { clock, cache, calls, failWith } = setUp({ wait: (_, signal) => once(signal, 'abort') })
    await cache.mint(request)
    clock.advance(ageMs)
    failWith(transient)
    t.is((await cache.mint(request)).served, 'stale')
    t.is((await cache.mint(request)).served, 'stale', 'and so while the failure is remembered')
    t.is(calls.length, 2)
  })

  test(`an ${kind} token past its limit is not served where its mint fails for good`, async (t) => {
    const { clock, cache, failWith } = setUp()
    await cache.mint(request)
    clock.advance(ageMs)
    failWith(permanent)
    t.is((await errorOf(cache.mint(request))).code, 'AUDIENCE_NOT_ALLOWED')
    t.is((await errorOf(cache.mint(request))).code, 'AUDIENCE_NOT_ALLOWED', 'remembered')
  })
}

test('a token that comes before its time is over is waited for', async (t) => {
  const { clock, cache, behaviour } = setUp({ wait: (_, signal) => once(signal, 'abort') })
  await cache.mint(id())
  clock.advance(6 * MINUTE)
  behaviour.onMint = (call) => setImmediate(call.succeed)
  t.like(await cache.mint(id()), { value: 'token 2', served: 'mint' })
})

test('where a token is at hand, its replacement is given 300 ms', async (t) => {
  const given: number[] = []
  const { clock, cache, hang } = setUp({ wait: async (ms) => given.push(ms) })
  await cache.mint(id())
  clock.advance(6 * MINUTE)
  hang()
  t.is((await cache.mint(id())).served, 'stale')
  t.deepEqual(given, [300])
})

test('a stale token is served while it is valid for a minute, and never below', async (t) => {
  const { clock, cache, failWith } = setUp()
  await cache.mint(id())
  failWith(transient)
  clock.advance(59 * MINUTE)
  t.is((await cache.mint(id())).served, 'stale')
  clock.advance(1)
  t.is((await errorOf(cache.mint(id()))).code, 'INJECTED')
})

test('a token whose last minute begins, or that ends in a sleep of the laptop, while its replacement is waited for is not served', async (t) => {
  for (const slept of [1, 2 * HOUR]) {
    const { clock, cache, calls, hang } = setUp({ wait: async () => clock.advance(slept) })
    await cache.mint(id())
    clock.advance(59 * MINUTE)
    hang()
    const waiting = cache.mint(id())
    await settled()
    calls[1]?.succeed()
    t.like(await waiting, { value: 'token 2' })
  }
})

test('an ID token of 90 seconds is fresh for 30 of them', async (t) => {
  const { clock, cache, behaviour, recover } = setUp()
  behaviour.onMint = (call) => call.succeed(90 * SECOND)
  await cache.mint(id())
  recover()
  clock.advance(30 * SECOND)
  t.is((await cache.mint(id())).served, 'hit')
  clock.advance(1)
  t.is((await cache.mint(id())).served, 'mint')
})

test('a hit makes no object', async (t) => {
  const { cache } = setUp()
  await cache.mint(id())
  await cache.mint(id())
  t.is(await cache.mint(id()), await cache.mint(id()))
})

test('10,000 mints run at once, behind answers or not, and one more is refused', async (t) => {
  const { clock, cache, calls, hang } = setUp()
  const [first, second] = [id('first'), id('second')]
  for (const request of [first, second]) await cache.mint(request)
  clock.advance(4 * MINUTE)
  hang()
  const kept = calls.length
  for (let index = 0; index < 9_999; index++) void cache.mint(id(String(index)))
  await settled()
  t.is((await cache.mint(first)).served, 'hit')
  t.is((await cache.mint(second)).served, 'hit')
  t.deepEqual(
    calls.slice(kept + 9_999).map(({ request }) => request),
    [first],
    'the second is not refreshed',
  )
  const error = await errorOf(cache.mint(id('one more')))
  t.is(error.code, 'MINTS_PENDING')
  t.regex(error.message, /10000/)
  t.is(calls.length, kept + 10_000)
  calls.at(-1)?.succeed()
  await settled()
  void cache.mint(id('one more'))
  await settled()
  t.is(calls.length, kept + 10_001, 'where one has ended, another may run')
})

test('a request waits for its mint where the token at hand has less than a minute left', async (t) => {
  const { clock, cache, behaviour } = setUp()
  await cache.mint(id())
  clock.advance(59 * MINUTE + 1)
  behaviour.onMint = (call) => setTimeout(call.succeed, 400)
  t.like(await cache.mint(id()), { value: 'token 2', served: 'mint' })
})

for (const [name, make, memoryMs] of [
  ['transient', transient, 3 * SECOND],
  ['permanent', permanent, 10 * SECOND],
  ['unforeseen', () => new TypeError('a bug of ours'), 3 * SECOND],
] as const) {
  test(`${name} failures are remembered for ${memoryMs} ms`, async (t) => {
    const { clock, cache, calls, failWith, recover } = setUp()
    failWith(make)
    const first = await errorOf(cache.mint(id()))
    recover()
    clock.advance(memoryMs - 1)
    t.is((await errorOf(cache.mint(id()))).code, first.code)
    t.is(calls.length, 1)
    t.is((await cache.mint(id('https://other.example'))).served, 'mint', 'other keys do not share it')
    clock.advance(1)
    t.is((await cache.mint(id())).served, 'mint')
  })
}

test('a failure is remembered no longer where the clock is set back', async (t) => {
  const { clock, cache, failWith, recover } = setUp()
  failWith(permanent)
  await errorOf(cache.mint(id()))
  clock.advance(-HOUR)
  await errorOf(cache.mint(id()))
  recover()
  clock.advance(10 * SECOND)
  t.is((await cache.mint(id())).served, 'mint')
})

test('1,000 requests at once for one new audience are one mint and 1,000 equal tokens', async (t) => {
  const { cache, calls, behaviour } = setUp()
  behaviour.onMint = (call) => setTimeout(call.succeed, 20)
  const tokens = await Promise.all(Array.from({ length: 1_000 }, () => cache.mint(id())))
  t.is(calls.length, 1)
  t.deepEqual([...new Set(tokens.map(({ value }) => value))], ['token 1'])
  t.is(tokens.filter(({ served }) => served === 'mint').length, 1, 'the others are hits')
})

test('1,000 requests at once for ten audiences are ten mints', async (t) => {
  const { cache, calls, behaviour } = setUp()
  behaviour.onMint = (call) => setTimeout(call.succeed, 20)
  await Promise.all(Array.from({ length: 1_000 }, (_, index) => cache.mint(id(`https://${index % 10}.example`))))
  t.is(calls.length, 10)
})

test('1,000 requests at once share one failure', async (t) => {
  const { cache, calls, behaviour } = setUp()
  behaviour.onMint = (call) => setTimeout(() => call.fail(permanent()), 20)
  const codes = await Promise.all(Array.from({ length: 1_000 }, async () => (await errorOf(cache.mint(id()))).code))
  t.deepEqual([...new Set(codes)], ['AUDIENCE_NOT_ALLOWED'])
  t.is(calls.length, 1)
})

const INSTANCE = {
  project_id: 'acme-dev',
  project_number: 739419398126,
  zone: 'us-central1-a',
  instance_id: '5775171277418378001',
  instance_name: 'sidemint',
  instance_creation_timestamp: 1_767_225_600,
  license_id: undefined,
}

test('requests that differ in any field are different tokens', async (t) => {
  const { cache, calls } = setUp()
  const requests: TokenRequest[] = [
    id('a'),
    id('b'),
    { kind: 'id', principal: EMAIL, audience: 'a', format: 'full' },
    { kind: 'id', principal: EMAIL, audience: 'a', format: 'full', instance: INSTANCE },
    { kind: 'id', principal: EMAIL, audience: 'a', format: 'full', instance: { ...INSTANCE, license_id: ['1'] } },
    { kind: 'id', principal: 'other@acme-dev.iam.gserviceaccount.com', audience: 'a', format: 'standard' },
    access(),
    access('a'),
    access('b'),
    access('a', 'b'),
    { kind: 'access', principal: 'other@acme-dev.iam.gserviceaccount.com', scopes: [] },
  ]
  for (const request of requests) await cache.mint(request)
  t.is(calls.length, requests.length)
  for (const request of requests) t.is((await cache.mint(request)).served, 'hit')
})

test('free text cannot be made to share the key of another request', async (t) => {
  const { cache, calls } = setUp()
  const requests: TokenRequest[] = [
    ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', '\0', 'a\0b', ' ', 'a b'].map(id),
    { kind: 'id', principal: '__proto__', audience: '__proto__', format: 'standard' },
    { kind: 'access', principal: '__proto__', scopes: ['__proto__'] },
    id(`full\0https://a.example`),
    access('standard\0https://a.example'),
    id('x'.repeat(8_192)),
    id(`${'x'.repeat(8_191)}y`),
  ]
  for (const request of requests) t.is((await cache.mint(request)).served, 'mint')
  for (const request of requests) t.is((await cache.mint(request)).served, 'hit')
  t.is(calls.length, requests.length)
})

test('those who waited for a mint get its token, whatever life it has left', async (t) => {
  const { cache, calls, hang } = setUp()
  hang()
  const waiting = [cache.mint(id()), cache.mint(id()), cache.mint(id())]
  await settled()
  calls[0]?.succeed(10 * SECOND)
  for (const token of await Promise.all(waiting)) t.is(token.value, 'token 1')
  t.is(calls.length, 1)
})

test('age counts from the arrival of the answer, not from the beginning of the mint', async (t) => {
  const { clock, cache, calls, hang } = setUp()
  hang()
  const waiting = cache.mint(id())
  await settled()
  clock.advance(4 * MINUTE)
  calls[0]?.succeed()
  await waiting
  clock.advance(4 * MINUTE - 1)
  t.is((await cache.mint(id())).served, 'hit')
  t.is(calls.length, 1)
})

test('after a jump of the clock beyond the expiry no expired token is served', async (t) => {
  for (const request of [id(), access()]) {
    const { clock, cache, failWith, recover } = setUp()
    await cache.mint(request)
    clock.advance(8 * HOUR)
    failWith(transient)
    t.is((await errorOf(cache.mint(request))).code, 'INJECTED')
    recover()
    clock.advance(3 * SECOND)
    t.like(await cache.mint(request), { served: 'mint', expiresAtMs: clock.now() + HOUR })
  }
})

for (const [kind, request] of [
  ['ID', id()],
  ['access', access()],
] as const) {
  test(`a clock that is set back makes no ${kind} token younger, and lengthens no life`, async (t) => {
    const { clock, cache, calls, failWith } = setUp()
    const { value } = await cache.mint(request)
    clock.advance(10 * MINUTE)
    failWith(transient)
    await cache.mint(request)
    clock.advance(-2 * HOUR)
    const token = await cache.mint(request)
    t.is(token.value, value)
    t.is(cache.leftMs(token), 50 * MINUTE, 'what was left before')
    if (request.kind === 'id') t.deepEqual([token.served, calls.length], ['stale', 2], 'older than five minutes still')
    clock.advance(49 * MINUTE)
    t.is((await cache.mint(request)).served, 'stale')
    clock.advance(1)
    t.is((await errorOf(cache.mint(request))).code, 'INJECTED', 'less than a minute is left')
    clock.advance(HOUR)
    t.is((await errorOf(cache.mint(request))).code, 'INJECTED', 'expired, though the clock says otherwise')
  })
}

test('where the clock is set back by more than two seconds an ID token is minted again: its iat would lie in the future', async (t) => {
  const { clock, cache, calls, failWith, recover } = setUp()
  await cache.mint(id())
  await cache.mint(access())
  clock.advance(-2 * SECOND)
  t.like(await cache.mint(id()), { served: 'hit', value: 'token 1' }, 'receivers allow for that')
  clock.advance(MINUTE)
  t.is(cache.hit(id(), cacheKey(id()))?.value, 'token 1')
  clock.advance(-1)
  t.is(cache.hit(id(), cacheKey(id())), undefined)
  failWith(transient)
  t.like(await cache.mint(id()), { served: 'stale', value: 'token 1' }, 'better than none')
  recover()
  clock.advance(3 * SECOND)
  t.like(await cache.mint(id()), { served: 'mint', value: 'token 4' })
  t.like(await cache.mint(id()), { served: 'hit', value: 'token 4' })
  t.like(await cache.mint(access()), { served: 'hit', value: 'token 2' }, 'nobody looks when an access token began')
  t.is(calls.length, 4)
})

for (const back of [-10 * MINUTE, -2 * HOUR]) {
  test(`a token ends in its time also where the clock is set by ${back} ms while nobody asks`, async (t) => {
    let elapsedMs = 0
    const { clock, cache, calls } = setUp({ elapsed: () => elapsedMs })
    const pass = (ms: number) => {
      elapsedMs += ms
      clock.advance(ms)
    }
    await cache.mint(id())
    pass(MINUTE)
    clock.advance(back)
    pass(HOUR)
    await cache.mint(id())
    t.is(calls.length, 2)
  })
}

test('beyond its size the cache drops the oldest, and a hit does not make a token younger', async (t) => {
  const { cache, calls } = setUp({ entries: 3 })
  for (const audience of ['a', 'b', 'c']) await cache.mint(id(audience))
  await cache.mint(id('a'))
  await cache.mint(id('d'))
  for (const audience of ['b', 'c', 'd']) t.is((await cache.mint(id(audience))).served, 'hit', audience)
  t.is((await cache.mint(id('a'))).served, 'mint')
  t.is(calls.length, 5)
})

test('an update at capacity drops nothing and makes its token the youngest', async (t) => {
  const { clock, cache } = setUp({ entries: 3 })
  for (const audience of ['a', 'b', 'c']) await cache.mint(id(audience))
  clock.advance(4 * MINUTE)
  await cache.mint(id('a'))
  await settled()
  for (const audience of ['a', 'b', 'c']) t.is((await cache.mint(id(audience))).served, 'hit', audience)
  await settled()
  await cache.mint(id('d'))
  t.is((await cache.mint(id('b'))).served, 'hit')
  t.is((await cache.mint(id('a'))).served, 'mint')
})

for (const entries of [1, 7, 100]) {
  test(`of hundreds of audiences the last ${entries} stay, updates and clearing between them or not`, async (t) => {
    const { clock, cache, calls } = setUp({ entries })
    for (let index = 0; index < 250; index++) {
      await cache.mint(id(String(index)))
      if (index % 3 === 0) clock.advance(6 * MINUTE)
      if (index % 5 === 0) await cache.mint(id(String(index)))
      if (index === 150) cache.clear()
    }
    for (let index = 0; index < entries * 2; index++) await cache.mint(id(`last ${index}`))
    const before = calls.length
    for (let index = entries; index < entries * 2; index++) {
      t.is((await cache.mint(id(`last ${index}`))).served, 'hit')
    }
    t.is(calls.length, before)
    t.is((await cache.mint(id('last 0'))).served, 'mint')
  })
}

test('keys are kept up to 32 MB of them, and the oldest go', async (t) => {
  const { cache, calls } = setUp()
  const [oldest = '', next = ''] = ['é', 'è'].map((twoBytes) => twoBytes.repeat(8 * 1024 * 1024))
  for (const key of [oldest, next]) await cache.mint(id(), key)
  t.is((await cache.mint(id(), oldest)).served, 'hit')
  await cache.mint(id('one more'))
  t.is((await cache.mint(id(), next)).served, 'hit')
  t.is((await cache.mint(id(), oldest)).served, 'mint')
  t.is(calls.length, 4)
})

test.serial('a token that has ended is no longer kept, though nobody asks for it', async (t) => {
  const { cache } = setUp()
  const { now } = Date
  const listed = (atMs: number) => {
    Date.now = () => atMs
    try {
      return cache.list(10).stored.length
    } finally {
      Date.now = now
    }
  }
  const beforeMs = Date.now()
  await cache.mint(id())
  const afterMs = Date.now()
  t.is(listed(beforeMs + HOUR - 1), 1)
  t.is(listed(afterMs + HOUR + 1), 0)
})

test('what is kept is listed by what was asked for, without secrets, the youngest where there are many', async (t) => {
  const { clock, cache } = setUp()
  await cache.mint(id('oldest'))
  await cache.mint(id('https://a.example/?key=a canary'))
  await cache.mint(access('a:1', 'b:2'))
  await cache.mint({ kind: 'access', principal: undefined, scopes: [] })
  clock.advance(MINUTE)
  const life = { ageMs: MINUTE, leftMs: 59 * MINUTE }
  t.deepEqual(cache.list(3), {
    count: 4,
    stored: [
      { kind: 'id', principal: EMAIL, wanted: shownAudience('https://a.example/?key=a canary'), ...life },
      { kind: 'access', principal: EMAIL, wanted: 'a:1 b:2', ...life },
      { kind: 'access', principal: '', wanted: '', ...life },
    ],
  })
  t.notRegex(JSON.stringify(cache.list(3)), /canary/)
})

test('evicting takes about as long among 40,000 keys as among a hundred', (t) => {
  /** Ms for a thousand keys, each of which evicts one: the quickest of ten times. */
  const evicting = (keys: number) => {
    const eviction = new Eviction({ keys, bytes: 1_000_000 }, () => {})
    let next = 0
    const add = (count: number) => {
      for (const end = next + count; next < end; next++) eviction.renew(String(next))
    }
    add(keys + 10_000)
    const times = Array.from({ length: 10 }, () => {
      const startedAt = performance.now()
      add(1_000)
      return performance.now() - startedAt
    })
    return Math.min(...times)
  }
  const [few, many] = [evicting(100), evicting(40_000)]
  t.true(many < few * 16, `${many} ms among many, ${few} ms among few`)
})

test('remembered failures are bounded too', async (t) => {
  const { cache, calls, failWith } = setUp({ entries: 2 })
  failWith(permanent)
  for (const audience of ['a', 'b', 'c']) await errorOf(cache.mint(id(audience)))
  await errorOf(cache.mint(id('c')))
  t.is(calls.length, 3)
  await errorOf(cache.mint(id('a')))
  t.is(calls.length, 4)
})

test.serial('memory does not grow with the number of refreshes of one key', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const { clock, cache, calls, events } = setUp()
  const refresh = async (times: number) => {
    for (let index = 0; index < times; index++) {
      await cache.mint(id())
      clock.advance(59 * MINUTE + 1)
      calls.length = 0
      events.length = 0
    }
    collect()
    return process.memoryUsage().heapUsed
  }
  const before = await refresh(500)
  const grown = (await refresh(2_000)) - before
  t.true(grown < 120_000, `grew by ${grown} bytes`)
})

for (const [name, expiresAtMs] of [
  ['no number', Number.NaN],
  ['the epoch', 0],
  ['the past', Date.UTC(2026, 0, 15, 12) - 1],
  ['this moment', Date.UTC(2026, 0, 15, 12)],
] as const) {
  test(`a token that expires at ${name} is answered and not stored`, async (t) => {
    const clock = createClock()
    let calls = 0
    const cache = createCache({
      source: { mint: async () => ({ value: `token ${++calls}`, expiresAtMs, served: 'mint' }) },
      settings: { cacheEntries: 10 },
      now: clock.now,
    })
    t.is((await cache.mint(id())).value, 'token 1')
    t.is((await cache.mint(id())).value, 'token 2')
    t.is(cache.list(1).count, 0)
  })
}

test('a mint under way while the cache is cleared is answered but not stored', async (t) => {
  const { cache, calls, hang } = setUp()
  hang()
  const before = cache.mint(id())
  await settled()
  cache.clear()
  const after = cache.mint(id())
  await settled()
  t.is(calls.length, 2, 'who asks after it does not join a mint begun before')
  calls[0]?.succeed()
  t.is((await before).value, 'token 1')
  const joined = cache.mint(id())
  await settled()
  t.is(calls.length, 2, 'the end of the old mint leaves the new one in flight')
  calls[1]?.succeed()
  t.is((await after).value, 'token 2')
  t.is((await joined).value, 'token 2')
  t.is((await cache.mint(id())).value, 'token 2')
})

test('a mint that fails after the cache was cleared is not remembered', async (t) => {
  const { cache, calls, hang, recover } = setUp()
  hang()
  const before = errorOf(cache.mint(id()))
  await settled()
  cache.clear()
  calls[0]?.fail(permanent())
  t.is((await before).code, 'AUDIENCE_NOT_ALLOWED')
  recover()
  t.is((await cache.mint(id())).served, 'mint')
})

test('clearing forgets tokens and failures', async (t) => {
  const { cache, failWith, recover } = setUp()
  await cache.mint(id('stored'))
  failWith(permanent)
  await errorOf(cache.mint(id('failed')))
  recover()
  cache.clear()
  t.is((await cache.mint(id('stored'))).served, 'mint')
  t.is((await cache.mint(id('failed'))).served, 'mint')
})

test('failures are forgotten by themselves, and tokens stay', async (t) => {
  const { cache, failWith, recover } = setUp()
  await cache.mint(id('stored'))
  failWith(permanent)
  await errorOf(cache.mint(id('failed')))
  recover()
  cache.forgetFailures()
  t.is((await cache.mint(id('stored'))).served, 'hit')
  t.is((await cache.mint(id('failed'))).served, 'mint')
})

test('closing aborts the mints under way', async (t) => {
  const { cache, calls, behaviour } = setUp()
  behaviour.onMint = (call) => call.signal?.addEventListener('abort', () => call.fail(transient()))
  const waiting = errorOf(cache.mint(id()))
  await settled()
  t.false(calls[0]?.signal?.aborted)
  cache.close()
  t.true(calls[0]?.signal?.aborted)
  t.is((await waiting).code, 'SERVER_STOPPING')
})

test('after closing nothing is minted any more', async (t) => {
  const { cache, calls } = setUp()
  cache.close()
  t.is((await errorOf(cache.mint(id()))).code, 'SERVER_STOPPING')
  t.is(calls.length, 0)
})

test('an access token of 80 seconds is replaced behind an answer from a quarter of its life', async (t) => {
  const { clock, cache, calls, behaviour } = setUp()
  behaviour.onMint = (call) => call.succeed(80 * SECOND)
  await cache.mint(access())
  for (const [ageMs, mints] of [
    [20 * SECOND - 1, 1],
    [20 * SECOND, 2],
  ] as const) {
    clock.advance(ageMs === 20 * SECOND ? 1 : ageMs)
    t.is((await cache.mint(access())).served, 'hit')
    await settled()
    t.is(calls.length, mints)
  }
})

test('the mint of a caller that gave up goes on, and its retry finds the token', async (t) => {
  const { cache, calls, hang } = setUp()
  hang()
  const outcome = await Promise.race([cache.mint(id()), sleep(5, 'gave up')])
  t.is(outcome, 'gave up')
  calls[0]?.succeed()
  await settled()
  t.like(await cache.mint(id()), { value: 'token 1', served: 'hit' })
})

test('the first hit on a stored token is marked, later ones are not', async (t) => {
  const { clock, cache } = setUp()
  await cache.mint(id())
  t.true((await cache.mint(id())).first)
  t.falsy((await cache.mint(id())).first)
  clock.advance(6 * MINUTE)
  await cache.mint(id())
  t.true((await cache.mint(id())).first, 'a newly minted one counts anew')
})

test('each mint is reported once, with whether it ran behind an answer and how it ended', async (t) => {
  const { clock, cache, events, failWith } = setUp()
  await cache.mint(id())
  await cache.mint(id())
  clock.advance(4 * MINUTE)
  failWith(transient)
  await cache.mint(id())
  await settled()
  t.deepEqual(
    events.map(({ behind, code, transient: passing }) => ({ behind, code, passing })),
    [
      { behind: false, code: undefined, passing: undefined },
      { behind: true, code: 'INJECTED', passing: true },
    ],
  )
  t.like(events[0], {
    kind: 'id',
    audience: 'https://a.example',
    identity: EMAIL,
    expiresAtMs: clock.now() + 56 * MINUTE,
  })
})

test('a mint is reported with what was asked for, when it ended and how long it took', async (t) => {
  const { clock, cache, calls, events, hang } = setUp()
  hang()
  const minting = [
    cache.mint(id()),
    cache.mint({ kind: 'access', principal: undefined, scopes: ['a:1'] }),
    errorOf(cache.mint(id('b'))),
  ]
  await settled()
  clock.advance(SECOND)
  for (const call of calls.slice(0, 2)) call.succeed()
  calls[2]?.fail(permanent())
  await Promise.all(minting)
  const { code, message: reason, fix, transient: passing } = permanent()
  const common = { type: 'mint', at: clock.now(), behind: false, tookMs: SECOND } as const
  const expiresAtMs = clock.now() + HOUR
  t.deepEqual(events, [
    { ...common, kind: 'id', audience: 'https://a.example', scopes: [], identity: EMAIL, expiresAtMs },
    { ...common, kind: 'access', audience: '', scopes: ['a:1'], identity: '', expiresAtMs },
    { ...common, kind: 'id', audience: 'b', scopes: [], identity: EMAIL, code, reason, fix, transient: passing },
  ])
})

test('a source that has changed is looked for before a hit and before a mint, also where a failure is remembered', async (t) => {
  const clock = createClock()
  let [inForce, found] = ['first', 'first']
  let failing = false
  const cache = createCache({
    source: {
      async mint() {
        if (failing) throw permanent()
        return { value: inForce, expiresAtMs: clock.now() + HOUR, served: 'mint' }
      },
    },
    settings: { cacheEntries: 10 },
    now: clock.now,
    async look() {
      await settled()
      if (found === inForce) return
      inForce = found
      cache.clear()
    },
  })
  t.teardown(() => cache.close())
  for (let asked = 0; asked < 5; asked += 1) t.is((await cache.mint(id())).value, 'first')
  found = 'second'
  t.is(cache.hit(id(), cacheKey(id())), undefined, 'no token of the source before')
  t.is((await cache.mint(id())).value, 'second')
  failing = true
  await t.throwsAsync(cache.mint(id('https://other.example')))
  found = 'third'
  failing = false
  t.is((await cache.mint(id('https://other.example'))).value, 'third', 'a remembered failure is not answered unlooked')
})

test('a token of what the source was before is not served as a stale one', async (t) => {
  const clock = createClock()
  let mints = 0
  let found = false
  const cache = createCache({
    source: {
      async mint() {
        mints += 1
        if (mints === 2) throw failure('UPSTREAM_UNAVAILABLE', { host: 'h', status: '503' })
        return { value: 'first', expiresAtMs: clock.now() + HOUR, served: 'mint' }
      },
    },
    settings: { cacheEntries: 10 },
    now: clock.now,
    look() {
      if (found) cache.clear()
      return undefined
    },
  })
  t.teardown(() => cache.close())
  await cache.mint(id())
  found = true
  clock.advance(10 * MINUTE)
  await t.throwsAsync(cache.mint(id()), { message: /answered 503/ })
})

/** How far the steady clock has gone, after the wall clock and the other one have gone so far. */
function steady() {
  let [wallMs, elapsedMs] = [0, 0]
  const clock = createSteadyClock(
    () => wallMs,
    () => elapsedMs,
  )
  clock.now()
  return (wall: number, elapsed: number) => {
    wallMs += wall
    elapsedMs += elapsed
    return clock.now()
  }
}

test('the clock that never goes back follows the wall clock, and what is no more than rounding is not counted', (t) => {
  const pass = steady()
  t.is(pass(0, 0), 0)
  t.is(pass(1_000, 1_000), 1_000)
  for (let look = 0; look < 50; look++) t.is(pass(0, 1), 1_000)
  t.is(pass(100, 200), 1_100)
  t.is(pass(HOUR, 0), 1_100 + HOUR, 'a sleep of the laptop, in which the other clock stands')
})

test('the clock that never goes back goes on by the other one where the wall clock was set back', (t) => {
  t.is(steady()(0, 101), 101, 'by more than rounding')
  t.is(steady()(-1, 0), 0)
  const pass = steady()
  t.is(pass(-HOUR, 50), 50)
  t.is(pass(1_000, 1_000), 1_050)
})

test.serial("by itself the other clock is the process's, where the first is the wall clock", (t) => {
  const { now } = Date
  const { performance: real } = globalThis
  let [wallMs, elapsedMs] = [0, 0]
  Date.now = () => wallMs
  Object.defineProperty(globalThis, 'performance', { value: { now: () => elapsedMs }, configurable: true })
  try {
    const [wall, own] = [createSteadyClock(Date.now), createSteadyClock(() => wallMs)]
    for (const clock of [wall, own]) clock.now()
    wallMs = 1_000
    elapsedMs = HOUR
    t.deepEqual([wall.now(), own.now()], [HOUR, 1_000])
  } finally {
    Date.now = now
    Object.defineProperty(globalThis, 'performance', { value: real, configurable: true })
  }
})
