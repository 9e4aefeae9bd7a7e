/** An hour and a half of `token --watch` beside a server that mints with Google, which fails in between; by one clock for all three. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { keepTokenFile } from '../../src/commands/token-file.ts'
import { settle } from '../../src/config/layers.ts'
import { failure, readErrorBody } from '../../src/core/errors.ts'
import { readClaims } from '../../src/core/token.ts'
import { startServer } from '../../src/server.ts'
import { createClock, HOUR, MINUTE } from '../clock.ts'
import type { Fault } from '../google/faults.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { startGranted } from '../mint/google/granted.ts'
import { ANN, AUDIENCE, ORDERS } from '../mint/google/rows.ts'
import { scratch } from './run.ts'

const OUTAGES: [fromMinute: number, toMinute: number, fault: Fault][] = [
  [5, 8, { kind: 'reset' }],
  [13, 54, { kind: 'status', status: 500 }],
  [66, 74, { kind: 'status', status: 503 }],
]

test('over an hour and a half in which Google fails again and again, the file never has less than five minutes left', async (t) => {
  const clock = createClock(Date.now())
  const google = await startGranted({ now: clock.now })
  t.teardown(() => google.close())
  const server = await startServer({
    settings: settle({ options: { port: 0, source: 'google', impersonateServiceAccount: [ORDERS] } }),
    env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: google.write('adc.json', google.userLogin(ANN)) },
    now: clock.now,
    bounds: { attemptMs: 20_000, totalMs: 40_000, retryDelaysMs: [] },
  })
  t.teardown(() => server.close())

  const path = join(scratch, 'token')
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  const startMs = clock.now()
  let endMs = startMs + HOUR
  const said: string[] = []
  const tokens = new Set<string>()
  let leastMs = Number.POSITIVE_INFINITY
  let left: (() => void)[] = []
  const openMinutes = new Set<number>()

  await keepTokenFile({
    path,
    obtain: async () => {
      const { status, body } = await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}&format=full`)
      if (status === 200) return body
      const reason = readErrorBody(body)?.code ?? 'none'
      throw failure('SERVER_REFUSED', { url: server.url, status: String(status), reason }, { status })
    },
    say: (text) => said.push(text),
    now: clock.now,
    wait: async (ms) => {
      const token = readFileSync(path, 'utf8')
      clock.advance(ms)
      if (!tokens.has(token)) endMs = Number(readClaims(token)?.exp) * 1_000
      tokens.add(token)
      leastMs = Math.min(leastMs, endMs - clock.now())
      const minute = (clock.now() - startMs) / MINUTE
      for (const [from, to, fault] of OUTAGES) {
        if (minute >= from && minute < to && !openMinutes.has(from)) {
          openMinutes.add(from)
          left.push(google.fault(fault))
        }
        if (minute >= to && openMinutes.delete(from)) {
          for (const end of left) end()
          left = []
        }
      }
      if (clock.now() >= startMs + 90 * MINUTE) stop()
    },
    stopped,
  })

  t.true(leastMs >= 5 * MINUTE, `${leastMs / MINUTE} minutes`)
  t.true(leastMs < 20 * MINUTE, 'the failures were felt')
  t.true(tokens.size >= 5, `${tokens.size} tokens`)
  t.true(said.some((text) => text.includes('no new token')))
  for (const token of tokens) t.false(said.join('\n').includes(token.slice(-40)))
})
