import test from 'ava'
import { createEvents, type RequestEvent } from '../../src/core/events.ts'
import { startSidemint } from '../../src/index.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'

const AUDIENCE = 'https://secret-customer.example'

const lines = (body: string) =>
  body
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .sort()

test('a server counts requests and mints from its start, by closed lists of labels', async (t) => {
  await using server = await startSidemint({ serviceAccount: 'orders@acme-dev.iam.gserviceaccount.com' })
  const identity = (query: string) => ask(server.url, `${DEFAULT_ACCOUNT}/identity${query}`)
  for (let time = 0; time < 3; time += 1) await identity(`?audience=${AUDIENCE}`)
  await identity('')
  server.failNext({ status: 503 })
  await identity('?audience=b')
  const { status, headers, body } = await ask(server.url, '/_sidemint/metrics')
  t.is(status, 200)
  t.regex(headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/)
  t.deepEqual(lines(body), [
    'sidemint_mints_total{kind="id",code=""} 1',
    'sidemint_requests_total{kind="id",result="error",status="400",code=""} 1',
    'sidemint_requests_total{kind="id",result="error",status="503",code="INJECTED"} 1',
    'sidemint_requests_total{kind="id",result="hit",status="200",code=""} 2',
    'sidemint_requests_total{kind="id",result="mint",status="200",code=""} 1',
  ])
  t.regex(body, /^# HELP sidemint_gate_decisions_total .*\n# TYPE sidemint_gate_decisions_total counter$/m)
  t.false(/secret-customer|acme-dev|127\.0\.0\.1/.test(body))
})

test('two scrapes do not count twice, and what happens between them is counted', async (t) => {
  const events = createEvents()
  const metrics = createMetrics(events)
  const event: RequestEvent = {
    type: 'request',
    at: 0,
    kind: 'access',
    audience: '',
    scopes: ['a b"c\n'],
    identity: 'a@b',
    caller: 'x y',
    result: 'stale',
    status: 200,
    tookMs: 1,
  }
  const scrape = async () => lines((await metrics.scrape()).body)
  t.deepEqual(await scrape(), [])
  events.record(event)
  const once = ['sidemint_requests_total{kind="access",result="stale",status="200",code=""} 1']
  t.deepEqual([await scrape(), await scrape()], [once, once])
  events.record(event)
  t.deepEqual(await scrape(), ['sidemint_requests_total{kind="access",result="stale",status="200",code=""} 2'])
})
