import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import type { Bounds } from '../../src/mint/bounded.ts'
import { startServer } from '../../src/server.ts'
import { createClock, MINUTE, SECOND } from '../clock.ts'
import type { Fault } from '../google/faults.ts'
import type { FakeGoogle } from '../google/start.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { recordEvents } from '../recorder.ts'
import { startGranted } from './google/granted.ts'
import { ANN, AUDIENCE, ORDERS } from './google/rows.ts'

let google: FakeGoogle

test.before(async () => {
  google = await startGranted()
})

test.after.always(() => google.close())

/** Only the one that hangs is waited for. */
const PATIENT = { attemptMs: 20_000, totalMs: 40_000, retryDelaysMs: [5] }
const OUTAGES: [title: string, fault: Fault, bounds: Bounds][] = [
  ['fails', { kind: 'status', status: 503 }, PATIENT],
  ['hangs', { kind: 'hang' }, { attemptMs: 2_500, totalMs: 3_000, retryDelaysMs: [5, 10] }],
  ['cuts connections', { kind: 'reset' }, PATIENT],
]
for (const [title, fault, bounds] of OUTAGES) {
  test.serial(
    `while Google ${title}, a token with 20 minutes left is served at once and said to be stale, an expired one never`,
    async (t) => {
      const clock = createClock(Date.now())
      const path = google.write(`${crypto.randomUUID()}.json`, google.userLogin(ANN))
      const server = await startServer({
        settings: settle({ options: { port: 0, source: 'google', impersonateServiceAccount: [ORDERS] } }),
        env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: path },
        now: clock.now,
        bounds,
      })
      t.teardown(() => server.close())
      const seen = recordEvents(server.events)
      const identity = () => ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)
      const results = () => seen.flatMap((event) => (event.type === 'request' ? [event.result] : []))
      const first = await identity()
      t.is(first.status, 200)
      clock.advance(40 * MINUTE)
      const cancel = google.fault(fault)
      for (let asked = 0; asked < 2; asked += 1) {
        const started = performance.now()
        const { status, body } = await identity()
        const tookMs = performance.now() - started
        t.is(status, 200)
        t.is(body, first.body)
        t.true(tookMs < bounds.attemptMs, `${tookMs} ms`)
        clock.advance(3 * MINUTE)
      }
      t.deepEqual(results(), ['mint', 'stale', 'stale'])
      clock.advance(14 * MINUTE)
      const { status, body } = await identity()
      t.is(status, 503)
      t.regex(JSON.parse(body).error, /^(UPSTREAM_TIMEOUT|UPSTREAM_UNAVAILABLE|NETWORK_DOWN)$/)
      cancel()
      clock.advance(3 * SECOND)
      const healed = await identity()
      t.is(healed.status, 200)
      t.is(results().at(-1), 'mint', 'two tokens of one second are the same bytes')
    },
  )
}

test.serial('a mint that is under way at the end of the grace is told that the server stops', async (t) => {
  const path = google.write(`${crypto.randomUUID()}.json`, google.userLogin(ANN))
  const server = await startServer({
    settings: settle({ options: { port: 0, source: 'google', impersonateServiceAccount: [ORDERS] } }),
    env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: path },
  })
  const cancel = google.fault({ kind: 'hang' })
  const before = google.calls.length
  const asking = ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)
  while (google.calls.length === before) await new Promise((resolve) => setTimeout(resolve, 5))
  await server.close(300)
  cancel()
  const { status, headers, body } = await asking
  t.is(status, 503)
  t.is(JSON.parse(body).error, 'SERVER_STOPPING')
  t.is(headers.connection, 'close')
})

test.serial('a clock that is set back during an outage lengthens no access token', async (t) => {
  const clock = createClock(Date.now())
  const path = google.write(`${crypto.randomUUID()}.json`, google.userLogin(ANN))
  const server = await startServer({
    settings: settle({ options: { port: 0, source: 'google', impersonateServiceAccount: [ORDERS] } }),
    env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: path },
    now: clock.now,
    bounds: PATIENT,
  })
  t.teardown(() => server.close())
  const token = async () => {
    const { status, body } = await ask(server.url, `${DEFAULT_ACCOUNT}/token`)
    return { status, ...JSON.parse(body) } as { status: number; expires_in: number }
  }
  const { expires_in: whole } = await token()
  const cancel = google.fault({ kind: 'status', status: 503 })
  t.teardown(cancel)
  clock.advance(30 * MINUTE)
  t.is((await token()).expires_in, whole - 1_800)
  clock.advance(-120 * MINUTE)
  t.is((await token()).expires_in, whole - 1_800)
  clock.advance(28 * MINUTE)
  t.is((await token()).status, 200)
  clock.advance(3 * MINUTE)
  t.is((await token()).status, 503)
})
