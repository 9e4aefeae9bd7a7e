/**
 * Odd HTTP from both sides of a gate, by a seed: a service that answers with nearly anything, and callers that send
 * nearly anything. Whatever they do, the gate answers for another service behind it.
 */

import type { ExecutionContext } from 'ava'
import { createEvents } from '../../src/core/events.ts'
import { listenGates, sendRaw, startRawService } from './stack.ts'

/** Cases between two questions to the sound service, and how many of them are under way at once. */
const BATCH = 50

/** A number from 0 up to 1, the same ones for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const METHODS = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'QUERY',
  'CONNECT',
  'PRI',
  'G\x01T',
]
const TARGETS = [
  '/',
  '*',
  '//',
  '/a?b',
  'http://odd/x',
  'http://odd',
  'http://[',
  'x://[/',
  'odd:80',
  '/\xff',
  '/%zz',
  '',
  '/a b',
]
const VERSIONS = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'ICY', '']
const STATUSES = [
  '200',
  '200',
  '204',
  '205',
  '304',
  '100',
  '101',
  '103',
  '199',
  '000',
  '099',
  '42',
  '599',
  '999',
  '1000',
  'abc',
  '',
]
const REASONS = ['OK', '', 'O\x01K', '\xff\xfe', 'a\tb', 'x'.repeat(5_000), '\x7f']
const HEADERS = [
  ['Content-Length', '0', '2', '5', '-1', '1e3', '99999999999999999999', '2, 2', 'x', ''],
  ['Transfer-Encoding', 'chunked', 'chunked', 'gzip, chunked', 'identity', 'chunked, chunked', 'x', ''],
  ['Trailer', 'X-Sum', 'Content-Length', '\x01', ''],
  [
    'Connection',
    'close',
    'keep-alive',
    'Upgrade',
    'X-Own, close',
    'Content-Length',
    'Host',
    'Transfer-Encoding',
    '__proto__',
    '',
  ],
  ['Upgrade', 'websocket', 'h2c', 'TLS/1.0', ''],
  ['Expect', '100-continue', 'tea', ''],
  ['Keep-Alive', 'timeout=0', 'max=x'],
  ['TE', 'trailers', 'gzip'],
  ['Date', 'yesterday', ''],
  ['Set-Cookie', 'a=1', '\xff', ''],
  ['Host', 'odd', 'odd:80', 'good', '[', '\xff', ''],
  ['Authorization', 'Bearer a.b.c', 'Bearer', 'Basic x', '\xff'],
  ['X_Forwarded_For', '1.2.3.4'],
  ['X-Own', 'x', 'x'.repeat(20_000), 'a\x00b', 'a\x0bb', '\x7f', ' ', 'a\r\n b'],
  ['__proto__', 'x'],
  ['constructor', 'x'],
  ['Bad Name', 'x'],
  ['', 'x'],
] as const
const BODIES = [
  '',
  'ok',
  'okokok',
  '2\r\nok\r\n0\r\n\r\n',
  '2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
  '0\r\nX\x01: \r\n\r\n',
  'zz\r\n',
  'ffffffffffffffffff\r\n',
  '2\r\nok',
]

/** The bytes of an odd request for the host `odd`, or of an odd answer. */
function createOddities(random: () => number) {
  const one = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const headers = () =>
    Array.from({ length: Math.floor(random() * 6) }, () => {
      const [name, ...values] = one(HEADERS)
      return `${name}: ${one(values)}\r\n`
    }).join('')
  const spoilt = (bytes: string) => {
    const chance = random()
    const at = Math.floor(random() * bytes.length)
    if (chance < 0.1) return bytes.slice(0, at)
    if (chance < 0.2) return `${bytes.slice(0, at)}${String.fromCharCode(random() * 256)}${bytes.slice(at + 1)}`
    return bytes
  }
  return {
    request: () =>
      spoilt(`${one(METHODS)} ${one(TARGETS)} ${one(VERSIONS)}\r\nHost: odd\r\n${headers()}\r\n${one(BODIES)}`),
    answer: () => spoilt(`${one(VERSIONS)} ${one(STATUSES)} ${one(REASONS)}\r\n${headers()}\r\n${one(BODIES)}`),
  }
}

/** Sends `cases` odd requests to a service that answers oddly, and asks the sound service beside it now and then. */
export async function fuzz(t: ExecutionContext, seed: number, cases: number): Promise<void> {
  const { request, answer } = createOddities(createRandom(seed))
  const odd = await startRawService(t, answer)
  const good = await startRawService(t, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const gates = [odd, good].map(({ upstream }, at) => ({
    host: at === 0 ? 'odd' : 'good',
    upstream,
    invokers: ['allUsers'],
  }))
  const port = (await listenGates(t, gates, { events: createEvents() })).get(0) ?? 0
  const plain = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  for (let done = 0; done < cases; done += BATCH) {
    await Promise.all(
      Array.from({ length: BATCH }, (_, at) => sendRaw(port, at % 2 === 0 ? request() : plain('odd'), { end: true })),
    )
    t.regex(
      await sendRaw(port, plain('good')),
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/,
      `seed ${seed}, after ${done + BATCH}`,
    )
  }
  t.true(odd.heads.length > cases / 3, 'few requests reached the service')
}
