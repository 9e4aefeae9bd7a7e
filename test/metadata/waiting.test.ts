import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { SidemintError } from '../../src/core/errors.ts'
import { type Inbound, Target } from '../../src/http/target.ts'
import { createAnswer, TYPES } from '../../src/http/wire.ts'
import { startSidemint } from '../../src/index.ts'
import { etagOf } from '../../src/metadata/values.ts'
import { createWaiting } from '../../src/metadata/waiting.ts'
import { startServer } from '../../src/server.ts'
import { createClock, SECOND } from '../clock.ts'
import { startFakeGoogle } from '../google/start.ts'
import { ask, DEFAULT_ACCOUNT, V1 } from '../http-client.ts'
import { ORDERS } from '../mint/google/rows.ts'

const VALUE = `${V1}/instance/attributes/stage`
const WAITING = `${VALUE}?wait_for_change=true`

interface Timer {
  ms: number
  fire(): void
  /** Rejects once the request that it was for has ended. */
  ended: Promise<unknown>
}

/** One value over real HTTP, behind what is tested; a test says when it has changed, and when time is over. */
async function startValue(t: ExecutionContext) {
  const timers: Timer[] = []
  let value = 'dev'
  let arrived = () => {}
  const refusals: string[] = []
  const waiting = createWaiting({
    ask: (inbound) => answer(inbound),
    onRefusal: ({ code }) => refusals.push(code),
    wait(ms, signal) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const ended = new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      timers.push({ ms, fire: resolve, ended })
      return Promise.race([promise, ended])
    },
  })
  const answer = (inbound: Inbound) =>
    waiting.hold(inbound, createAnswer(200, TYPES.text, value, ['ETag', `etag-${value}`]))
  const server = createServer(async (req, res) => {
    const { promise: heard, resolve } = Promise.withResolvers<void>()
    setImmediate(resolve)
    try {
      const inbound = { target: new Target(req.url ?? ''), host: '', socket: req.socket }
      const answered = answer(inbound)
      void heard.then(() => arrived())
      const { status, head, body } = await answered
      res.writeHead(status, head as string[]).end(body)
    } catch (thrown) {
      const { status, code } = thrown as SidemintError
      res.writeHead(status, { connection: 'close' }).end(code)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  t.teardown(() => server.closeAllConnections())
  const { port } = server.address() as AddressInfo
  return {
    waiting,
    timers,
    refusals,
    url: `http://127.0.0.1:${port}`,
    port,
    /** Resolves once so many requests more were read. */
    arrivals: (count: number) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      let left = count
      arrived = () => {
        left -= 1
        if (left === 0) resolve()
      }
      return promise
    },
    change(next: string) {
      value = next
      waiting.changed()
    },
  }
}

for (const method of ['GET', 'HEAD']) {
  test(`${method} with wait_for_change=true is answered once the value has changed, with the new one`, async (t) => {
    const server = await startValue(t)
    const held = server.arrivals(1)
    const reply = ask(server.url, WAITING, { method })
    await held
    server.waiting.changed()
    server.change('test')
    const { status, headers, body } = await reply
    t.is(status, 200)
    t.is(headers.etag, 'etag-test')
    t.is(headers['content-length'], '4')
    t.is(body, method === 'HEAD' ? '' : 'test')
  })
}

for (const [query, is] of [
  ['&last_etag=etag-dev', 'held'],
  ['&last_etag=0', 'answered'],
  ['&last_etag=NONE', 'answered'],
  ['&last_etag=', 'answered'],
  ['&timeout_sec=0', 'answered'],
  ['&timeout_sec=0&last_etag=etag-dev', 'answered'],
  ['&timeout_sec=60', 'held'],
] as const) {
  test(`wait_for_change=true${query} is ${is} while nothing changes`, async (t) => {
    const server = await startValue(t)
    const heard = server.arrivals(1)
    const reply = ask(server.url, WAITING + query)
    await heard
    t.is(server.timers.length, is === 'held' ? 1 : 0)
    if (is === 'held') server.change('test')
    const { body, headers } = await reply
    t.is(body, is === 'held' ? 'test' : 'dev')
    t.is(headers.etag, `etag-${body}`)
  })
}

test('the ETag of an answer is the one among its headers, and an answer may have none', (t) => {
  t.is(etagOf(createAnswer(200, TYPES.text, 'dev', ['ETag', 'a', 'Connection', 'close'])), 'a')
  t.is(etagOf(createAnswer(200, TYPES.text, 'dev')), undefined)
})

test('without wait_for_change nothing is held, whatever else the query says', async (t) => {
  const server = await startValue(t)
  for (const query of ['last_etag=etag-dev&timeout_sec=60', 'wait_for_change=false', 'wait_for_change=no']) {
    t.is((await ask(server.url, `${VALUE}?${query}`)).body, 'dev')
  }
  t.is(server.timers.length, 0)
})

for (const [asked, ms] of [
  ['&timeout_sec=1', 1_000],
  ['&timeout_sec=60', 60_000],
  ['&timeout_sec=1000000000000', 3_600_000],
  [`&timeout_sec=${'9'.repeat(400)}`, 3_600_000],
  ['', 3_600_000],
] as const) {
  test(`with "${asked.slice(0, 30)}" the value as it is is answered after ${ms / 1000} s`, async (t) => {
    const server = await startValue(t)
    const heard = server.arrivals(1)
    const reply = ask(server.url, WAITING + asked)
    await heard
    t.is(server.timers[0]?.ms, ms)
    server.timers[0]?.fire()
    const { status, body, headers } = await reply
    t.deepEqual([status, body, headers.etag], [200, 'dev', 'etag-dev'])
  })
}

test('a thousand requests are held, from one client too, one more is a 503, and a client that goes makes room', async (t) => {
  const server = await startValue(t)
  const heard = server.arrivals(1_000)
  const socket = connect(server.port, '127.0.0.1')
  socket.write(`GET ${WAITING}&last_etag=etag-dev HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(1_000))
  await heard
  const refused = await ask(server.url, WAITING)
  t.deepEqual([refused.status, refused.body], [503, 'WAITERS_TOO_MANY'])
  t.deepEqual(server.refusals, ['WAITERS_TOO_MANY'], 'whoever runs it reads of it too')
  t.is((await ask(server.url, VALUE)).status, 200, 'who does not wait is answered')
  socket.destroy()
  const ended = await Promise.all(server.timers.map((timer) => timer.ended.catch(({ name }) => name)))
  t.deepEqual([...new Set(ended)], ['AbortError'])
  const again = server.arrivals(1)
  const reply = ask(server.url, WAITING)
  await again
  server.change('test')
  t.is((await reply).body, 'test')
})

test('once it closes, what is held gets its value as it is, and nothing is held any more', async (t) => {
  const server = await startValue(t)
  const heard = server.arrivals(2)
  const replies = [ask(server.url, WAITING), ask(server.url, WAITING)]
  await heard
  server.waiting.close()
  for (const { status, body } of await Promise.all(replies)) t.deepEqual([status, body], [200, 'dev'])
  t.is((await ask(server.url, WAITING)).body, 'dev')
})

test('where the changed value cannot be answered, the request fails as any other does', async (t) => {
  const waiting = createWaiting({
    onRefusal() {},
    ask: () => Promise.reject(new SidemintError('AUDIENCE_NOT_ALLOWED', 404, 'gone', '')),
  })
  const inbound = { target: new Target(WAITING), host: '', socket: new Socket() }
  const held = waiting.hold(inbound, createAnswer(200, TYPES.text, 'dev', ['ETag', 'a']))
  waiting.changed()
  await t.throwsAsync(async () => held, { message: 'gone' })
})

test('timeout_sec=1 is answered in about a second by a server, with the same ETag, and text or a minus is a 400', async (t) => {
  await using server = await startSidemint({ metadata: { instance: { attributes: { stage: 'dev' } } } })
  const startedAt = performance.now()
  for (const target of [WAITING, `${V1}/?recursive=true&alt=json&wait_for_change=true`]) {
    const etag = (await ask(server.url, target.replace('wait_for_change', 'x'))).headers.etag
    const reply = await ask(server.url, `${target}&timeout_sec=1&last_etag=${etag}`)
    t.deepEqual([reply.status, reply.headers.etag], [200, etag])
  }
  t.true(performance.now() - startedAt >= 1_990)
  for (const text of ['soon', '-1', '1.5', '1e3', '']) {
    t.is((await ask(server.url, `${WAITING}&timeout_sec=${text}`)).status, 400, text)
  }
})

test('a server that stops answers what is held within its grace, with the value as it is', async (t) => {
  const server = await startServer({
    settings: settle({
      options: { port: 0, source: 'local', metadata: { instance: { attributes: { stage: 'dev' } } } },
    }),
    env: {},
  })
  const reply = ask(server.url, WAITING)
  await ask(server.url, VALUE)
  const startedAt = performance.now()
  await server.close(20_000)
  t.true(performance.now() - startedAt < 10_000)
  const { status, body, headers } = await reply
  t.deepEqual([status, body, headers.connection], [200, 'dev', 'close'])
})

test.serial('another login wakes whoever waits for the account', async (t) => {
  await using google = await startFakeGoogle()
  google.trust()
  const clock = createClock()
  const file = google.write('adc.json', await google.serviceAccountKey('one@acme-dev.iam.gserviceaccount.com'))
  const server = await startServer({
    settings: settle({ options: { port: 0, source: 'google' } }),
    env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: file },
    now: clock.now,
  })
  t.teardown(() => server.close())
  const email = `${DEFAULT_ACCOUNT}/email`
  const { headers, body } = await ask(server.url, email)
  t.is(body, 'one@acme-dev.iam.gserviceaccount.com')
  const reply = ask(server.url, `${email}?wait_for_change=true&last_etag=${headers.etag}`)
  await ask(server.url, email)
  google.write('adc.json', await google.serviceAccountKey(ORDERS))
  clock.advance(2 * SECOND)
  await ask(server.url, `${DEFAULT_ACCOUNT}/token`)
  t.is((await reply).body, ORDERS)
})
