import test from 'ava'
import { type FailNextOptions, startSidemint } from '../../src/index.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'

const identity = (url: string, audience: string) => ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${audience}`)

test('only requests for the audience that is named fail, and access tokens then do not', async (t) => {
  await using server = await startSidemint()
  server.failNext({ audience: 'https://*.run.app', status: 403, times: 2 })
  t.is((await identity(server.url, 'https://a.example')).status, 200)
  t.is((await ask(server.url, `${DEFAULT_ACCOUNT}/token`)).status, 200)
  t.is((await identity(server.url, 'https://a.run.app')).status, 403)
  t.is((await identity(server.url, 'https://b.run.app')).status, 403)
  t.is((await identity(server.url, 'https://b.run.app')).status, 200)
})

test('a failure may come late, and others are answered meanwhile', async (t) => {
  await using server = await startSidemint()
  server.failNext({ delayMs: 400, status: 500, audience: 'https://a.example' })
  const startedAtMs = performance.now()
  const late = identity(server.url, 'https://a.example').then(({ status }) => [status, performance.now() - startedAtMs])
  while (server.requests.length < 1) await identity(server.url, 'https://b.example')
  const [status, tookMs = 0] = await late
  t.is(status, 500)
  t.true(tookMs >= 390, `${tookMs} ms`)
})

test('a dropped request gets no answer, is recorded, and the next one is answered', async (t) => {
  await using server = await startSidemint()
  server.failNext({ drop: true })
  await t.throwsAsync(identity(server.url, 'https://a.example'), { code: 'ECONNRESET' })
  t.is((await identity(server.url, 'https://a.example')).status, 200)
  t.deepEqual(
    server.requests.map(({ result, status }) => [result, status]),
    [
      ['error', 0],
      ['mint', 200],
    ],
  )
})

test('an order that makes no sense is refused, and changes nothing', async (t) => {
  await using server = await startSidemint()
  const orders: FailNextOptions[] = [{ delayMs: -1 }, { delayMs: 60_001 }, { delayMs: 0.5 }, { times: 1_000_001 }]
  for (const order of orders) t.throws(() => server.failNext(order), { code: 'ORDER_INVALID' }, JSON.stringify(order))
  t.is((await identity(server.url, 'https://a.example')).status, 200)
})

test('clearRequests empties what was asked', async (t) => {
  await using server = await startSidemint()
  await identity(server.url, 'https://a.example')
  server.clearRequests()
  t.deepEqual(server.requests, [])
  await identity(server.url, 'https://a.example')
  t.is(server.requests.length, 1)
})
