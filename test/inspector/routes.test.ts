import { once } from 'node:events'
import test from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { startSidemint } from '../../src/index.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { compare } from './document.ts'
import { openEvents } from './event-source.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
const start = () => startSidemint({ serviceAccount: EMAIL })
const identity = (url: string, audience: string) => ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${audience}`)
const PATHS = ['', 'page.js', 'page.css', 'requests', 'grants', 'state', 'events'].map((name) => `/_sidemint/${name}`)

test('requests shows what was asked, without a token', async (t) => {
  await using server = await start()
  const { body: token } = await identity(server.url, 'https://a.example')
  await identity(server.url, 'https://a.example')
  await identity(server.url, '')
  const { status, headers, body } = await ask(server.url, '/_sidemint/requests')
  t.is(status, 200)
  t.is(headers['content-type'], 'application/json; charset=utf-8')
  t.is(headers['cache-control'], 'no-store')
  t.is(headers['access-control-allow-origin'], undefined)
  const { asked, requests, totals, hops } = JSON.parse(body)
  t.like(asked, [
    { caller: '127.0.0.1', audience: 'https://a.example', identity: EMAIL, count: 2, hits: 1, status: 200 },
    { audience: '', status: 400, count: 1 },
  ])
  t.deepEqual(
    requests.map(({ result }: { result: string }) => result),
    ['mint', 'hit', 'error'],
  )
  t.deepEqual(hops, [])
  t.deepEqual(totals, { calls: 0, refused: 0, asked: 3, hits: 1, failed: 1 })
  for (const part of token.split('.')) t.false(body.includes(part))
})

test('state says who mints, for whom, and what is in the cache', async (t) => {
  await using server = await start()
  const token = (await identity(server.url, 'https://a.example')).body
  const { body } = await ask(server.url, '/_sidemint/state')
  const state = JSON.parse(body)
  t.like(state, { url: server.url, source: 'local', why: 'as asked', login: null, issuer: server.url, failing: null })
  t.like(state.identities, [{ email: EMAIL, callers: [], hosts: [], port: null, isDefault: true }])
  t.is(state.cache.count, 1)
  t.like(state.cache.stored, [{ kind: 'id', principal: EMAIL, wanted: 'https://a.example' }])
  t.false(body.includes(token))
  t.truthy(readClaims(token))
})

test('only known hosts may read it, and nothing can be written', async (t) => {
  await using server = await start()
  for (const path of PATHS) {
    t.is((await ask(server.url, path, { headers: { Host: 'evil.example' } })).status, 403, path)
    t.is((await ask(server.url, path, { method: 'POST' })).status, 405, path)
    t.is((await ask(server.url, path, { method: 'OPTIONS' })).status, 405, path)
    t.is((await ask(server.url, path, { method: 'HEAD' })).status, 200, path)
  }
})

test('events tell of changed rows, and of more after the last one that a reader has', async (t) => {
  await using server = await start()
  await identity(server.url, 'https://before.example')
  const source = await openEvents(server.url)
  t.is(source.response.headers['content-type'], 'text/event-stream')
  await identity(server.url, 'https://a.example')
  const first = await source.next()
  t.is(first.event, 'rows')
  t.is(compare('Changes', first.data), 'fits')
  t.like(first.data.asked, [{ audience: 'https://a.example', count: 1 }])
  t.is(first.data.asked.length, 1, 'what was before is in requests')
  source.close()
  await identity(server.url, 'https://a.example')
  const again = await openEvents(server.url, '/_sidemint/events', { 'Last-Event-ID': first.id })
  t.like((await again.next()).data, { asked: [{ audience: 'https://a.example', count: 2 }], more: false })
  again.close()

  const { epoch, version } = JSON.parse((await ask(server.url, '/_sidemint/requests')).body)
  const since = await openEvents(server.url, `/_sidemint/events?since=${epoch}.${version}`)
  await identity(server.url, 'https://before.example')
  t.like((await since.next()).data.asked, [{ audience: 'https://before.example', hits: 1 }])
  since.close()
})

test('a reader of another epoch is told to begin anew', async (t) => {
  await using server = await start()
  await identity(server.url, 'https://a.example')
  const source = await openEvents(server.url, '/_sidemint/events?since=00000000.7')
  t.is((await source.next()).event, 'cleared')
  t.like((await source.next()).data.asked, [{ audience: 'https://a.example' }])
  source.close()
})

test('a hundred streams are open at once, and no more; the end of the server ends them', async (t) => {
  const server = await start()
  const sources = await Promise.all(Array.from({ length: 100 }, () => openEvents(server.url)))
  const { status, body } = await ask(server.url, '/_sidemint/events')
  t.is(status, 503)
  t.regex(body, /STREAMS_TOO_MANY/)
  sources[0]?.close()
  while ((await ask(server.url, '/_sidemint/events', { method: 'HEAD' })).status !== 200);
  await identity(server.url, 'https://a.example')
  const messages = await Promise.all(sources.slice(1).map((source) => source.next()))
  t.true(messages.every(({ data }) => data.asked.length === 1))
  const ended = sources.slice(1).map(({ response }) => once(response, 'end'))
  await server.close()
  await Promise.all(ended)
})
