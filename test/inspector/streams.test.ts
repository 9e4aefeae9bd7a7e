import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createEvents, type RequestEvent } from '../../src/core/events.ts'
import { createApp } from '../../src/http/app.ts'
import { createGuard } from '../../src/http/guard.ts'
import { listen } from '../../src/http/listener.ts'
import { NOTHING_KNOWN } from '../../src/inspector/grants.ts'
import { InspectorRecord } from '../../src/inspector/record.ts'
import { createInspectorRoutes } from '../../src/inspector/routes.ts'
import { Streams } from '../../src/inspector/streams.ts'
import { createClock } from '../clock.ts'
import { openEvents } from './event-source.ts'

/** The streams of a record behind real HTTP, with moments that pass quickly. */
async function start(t: ExecutionContext, tickMs: number) {
  const { now } = createClock()
  const events = createEvents()
  const record = new InspectorRecord({ events, now, keepHits: false })
  const streams = new Streams(record, tickMs)
  const guard = createGuard({ metadata: () => undefined, allowHost: [], events, now })
  const routes = [createInspectorRoutes({ record, streams, state: () => ({}), place: {}, inForce: NOTHING_KNOWN, now })]
  const app = createApp({ guard, routes })
  let ended = () => {}
  /** Settles when the first answer has ended. */
  const closed = new Promise<void>((resolve) => {
    ended = resolve
  })
  const handler: RequestListener = (req, res) => {
    res.on('close', ended)
    app(req, res)
  }
  const { port, close } = await listen({ host: '127.0.0.1', port: 0, handler, headers: [] })
  t.teardown(() => close(0))
  const ask = (index: number, width = 500) =>
    events.record({
      type: 'request',
      at: now(),
      kind: 'id',
      audience: `https://${index}.example/${'x'.repeat(width)}`,
      scopes: [],
      identity: 'a@b.example',
      caller: 'orders',
      result: 'mint',
      status: 200,
      tookMs: 1,
      expiresAtMs: now() + 1,
    } satisfies RequestEvent)
  return { url: `http://127.0.0.1:${port}`, port, record, ask, closed }
}

test('a burst is one message with the last rows of it, and says that there were more', async (t) => {
  const { url, ask } = await start(t, 20)
  const source = await openEvents(url)
  for (let index = 0; index < 1_000; index += 1) ask(index)
  const { data } = await source.next()
  t.is(data.asked.length, 200)
  t.true(data.asked.at(-1).audience.startsWith('https://999.example'))
  t.true(data.more)
  t.is(data.totals.asked, 1_000)
  source.close()
})

test('a silent stream gets a comment now and then', async (t) => {
  const { url } = await start(t, 2)
  const source = await openEvents(url)
  while (!source.text().includes('\n\n:\n\n')) await once(source.response, 'data')
  t.pass()
  source.close()
})

test('emptying the record is told, and what comes after it', async (t) => {
  const { url, ask, record } = await start(t, 20)
  ask(1)
  const source = await openEvents(url)
  record.clear()
  ask(2)
  t.is((await source.next()).event, 'cleared')
  t.is((await source.next()).data.asked.length, 1)
  source.close()
})

const TICK_MS = 10

test('a reader that takes nothing is cut off, and nothing is queued for it meanwhile', async (t) => {
  const { port, ask, closed } = await start(t, TICK_MS)
  const socket = connect(port, '127.0.0.1').pause()
  socket.on('error', () => {})
  socket.write('GET /_sidemint/events HTTP/1.1\r\nHost: a\r\n\r\n')
  // The same rows for every message, as many and as long as it may hold.
  const busy = setInterval(() => {
    for (let index = 0; index < 200; index += 1) ask(index, 1_000)
  }, TICK_MS)
  const before = process.memoryUsage().arrayBuffers
  await closed
  clearInterval(busy)
  t.true(process.memoryUsage().arrayBuffers - before < 5_000_000)
})
