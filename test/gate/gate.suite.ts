/** What a gate does over a minute and over ten thousand requests. */

import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { bearer, startGate } from './stack.ts'

const open = (port: number, agent: http.Agent | false, path = '/') =>
  http.get({ port, host: '127.0.0.1', agent, path, headers: { host: 'ledger', authorization: bearer() } })

test('an event stream of a minute arrives whole, each event when it is sent, through pauses too', async (t) => {
  t.timeout(90_000)
  const pausesMs = [...Array.from({ length: 100 }, () => 100), 5_000, ...Array.from({ length: 50 }, () => 200), 35_000]
  const { port, notices, decisions } = await startGate(t, {}, async (_, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    for (const [at, pause] of pausesMs.entries()) {
      res.write(`data: ${at} ${Date.now()}\n\n`)
      await setTimeout(pause)
    }
    res.end(`data: ${pausesMs.length} ${Date.now()}\n\n`)
  })
  const started = performance.now()
  const [stream] = (await once(open(port, false), 'response')) as [IncomingMessage]
  let events = 0
  let worstMs = 0
  for await (const chunk of stream.setEncoding('utf8')) {
    for (const [, number, sentAt] of String(chunk).matchAll(/^data: (\d+) (\d+)$/gm)) {
      t.is(Number(number), events)
      events += 1
      worstMs = Math.max(worstMs, Date.now() - Number(sentAt))
    }
  }
  t.is(events, pausesMs.length + 1)
  t.true(performance.now() - started >= 59_000)
  t.true(worstMs < 1_000, `${worstMs} ms late`)
  t.is(decisions().length, 1)
  t.deepEqual(notices(), [])
})

test('ten thousand small requests over 50 connections are each answered, and reach the service once', async (t) => {
  t.timeout(90_000)
  const seen = new Map<string, number>()
  const { port, notices } = await startGate(t, {}, (req, res) => {
    seen.set(String(req.url), (seen.get(String(req.url)) ?? 0) + 1)
    res.end(req.url)
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: 50 })
  t.teardown(() => agent.destroy())
  let next = 0
  async function client(): Promise<void> {
    while (next < 10_000) {
      const path = `/${next++}`
      const [res] = (await once(open(port, agent, path), 'response')) as [IncomingMessage]
      const body = (await res.setEncoding('utf8').toArray()).join('')
      if (res.statusCode !== 200 || body !== path) t.fail(`${path}: ${res.statusCode} ${body}`)
    }
  }
  await Promise.all(Array.from({ length: 50 }, client))
  t.is(seen.size, 10_000)
  t.true([...seen.values()].every((times) => times === 1))
  t.deepEqual(notices(), [])
})
