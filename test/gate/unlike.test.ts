/** docs/gate.md, "What passes here and not there" */

import { EventEmitter } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import test from 'ava'
import { failure, type SidemintError } from '../../src/core/errors.ts'
import type { Exchange } from '../../src/gate/exchange.ts'
import { watchDifferences, whatCame } from '../../src/gate/unlike.ts'

const MISSING = failure('TOKEN_MISSING', { found: '', audience: '', server: '' })
const MIB = 1024 * 1024

interface Call {
  method?: string
  path?: string
  headers?: IncomingHttpHeaders
  /** Of the connection, before this request and with it. */
  bytesRead?: [before: number, after: number]
  head?: Buffer
  tookMs?: number
  refusal?: SidemintError
}

/** What is said of these calls, in their order. */
function saidOf(...calls: Call[]): string[] {
  const said: string[] = []
  let nowMs = 1_000
  const watch = watchDifferences(
    () => nowMs,
    (text) => void said.push(text.replace(/\..*/s, '')),
  )
  for (const { method = 'POST', path = '/a', headers = {}, bytesRead = [0, 0], head, tookMs = 0, refusal } of calls) {
    const socket = { bytesRead: bytesRead[0] }
    const to = new EventEmitter()
    const exchange = { req: { method, url: path, headers, socket }, to, ...(head === undefined ? {} : { head }) }
    watch(exchange as unknown as Exchange, refusal)
    socket.bytesRead = bytesRead[1]
    nowMs += tookMs
    to.emit('close')
  }
  return said
}

test('an upload over 32 MiB is told, by its length or by what came on its connection', (t) => {
  const told = ['POST /a: Cloud Run takes at most 32 MiB in an HTTP/1 request']
  const most = 32 * MIB
  t.deepEqual(saidOf({ headers: { 'content-length': `${most}` } }), [])
  t.deepEqual(saidOf({ headers: { 'content-length': `${most + 1}` } }), told)
  t.deepEqual(saidOf({ bytesRead: [5 * MIB, 5 * MIB + most] }), [])
  t.deepEqual(saidOf({ bytesRead: [5 * MIB, 5 * MIB + most + 1] }), told)
  t.deepEqual(saidOf({ bytesRead: [0, most + 1], head: Buffer.alloc(0) }), [], 'a WebSocket has no such limit')
})

test('a call over five minutes is told', (t) => {
  t.deepEqual(saidOf({ tookMs: 300_000 }), [])
  t.deepEqual(saidOf({ tookMs: 300_001 }), [
    'POST /a: it took longer than 5 minutes, where Cloud Run breaks off by default',
  ])
})

test('/healthz is told, and no other path', (t) => {
  t.deepEqual(saidOf({ path: '/healthz?a' }, { path: '/healthz/' }, { path: '/health' }), [
    "POST /healthz: Google's front end answers /healthz itself at run",
  ])
})

test('a preflight that is refused for want of a token is told, and no other refusal', (t) => {
  const headers = { 'access-control-request-method': 'POST' }
  const told = ['OPTIONS /a: browsers send no token with a preflight, so Cloud Run refuses it too']
  t.deepEqual(saidOf({ method: 'OPTIONS', headers, refusal: MISSING }), told)
  t.deepEqual(saidOf({ method: 'OPTIONS', refusal: MISSING }, { headers, refusal: MISSING }), [])
  t.deepEqual(saidOf({ method: 'OPTIONS', headers, refusal: failure('TOKENS_SEVERAL', { header: '' }) }), [])
  t.deepEqual(saidOf({ method: 'OPTIONS', headers }), [])
  t.deepEqual(saidOf({ path: '/healthz', tookMs: 300_001, refusal: MISSING }), [])
})

test('each is told once a path', (t) => {
  const slow = { tookMs: 300_001 }
  t.is(saidOf(slow, slow, { path: '/b', ...slow }, { method: 'PUT', ...slow }).length, 2)
  t.is(saidOf({ path: '/healthz', headers: { 'content-length': `${33 * MIB}` }, ...slow }).length, 3)
})

test('bytes that are not HTTP/1.1 are told as what they are', (t) => {
  t.regex(whatCame(Buffer.from([0x16, 0x03, 0x01])) ?? '', /speaks TLS/)
  t.regex(whatCame(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM')) ?? '', /speaks HTTP\/2 without TLS/)
  for (const bytes of [[0x16, 0x04], [0x15, 0x03], []]) t.is(whatCame(Buffer.from(bytes)), undefined)
  t.is(whatCame(Buffer.from('PRI * HTTP/2.1\r\n')), undefined)
})
