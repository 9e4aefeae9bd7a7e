/** docs/gate.md, "Headers and the signature" */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import test from 'ava'
import { prepareForCaller, prepareForService } from '../../src/gate/headers.ts'

/** What the service gets of a caller's headers, without what the gate itself adds. */
function forService(headers: IncomingHttpHeaders): string[] {
  const req = { headers: { ...headers }, socket: { remoteAddress: '127.0.0.1' } }
  prepareForService(req as IncomingMessage)
  return Object.keys(req.headers).filter((name) => name !== 'x-forwarded-for' && name !== 'x-forwarded-proto')
}

const OF_ONE_CONNECTION = [
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
]
const FRAMING = ['content-length', 'host', 'transfer-encoding']

test('a header of one connection goes no further, in either direction', (t) => {
  for (const name of OF_ONE_CONNECTION) {
    t.deepEqual(forService({ [name]: 'x', accept: '*/*' }), ['accept'], name)
    t.deepEqual(prepareForCaller({ [name]: 'x', etag: 'a' }), { etag: 'a' }, name)
  }
})

test('Connection names further headers that go no further, but none that frames the message', (t) => {
  t.deepEqual(forService({ connection: ' X-Own ,close', 'x-own': '1', close: '2', 'x-kept': '3' }), ['x-kept'])
  for (const name of FRAMING) t.deepEqual(forService({ connection: name, [name]: '1' }), [name])
})

test('Node frames the body of an answer itself', (t) => {
  t.deepEqual(prepareForCaller({ 'transfer-encoding': 'chunked', 'content-length': '2' }), { 'content-length': '2' })
})

test('with underscores no header passes that counts for the gate or the service with hyphens', (t) => {
  const own = ['x-forwarded-for', 'x-forwarded-proto', 'x-serverless-authorization', 'x-goog-authenticated-user-id']
  for (const name of [...OF_ONE_CONNECTION, ...FRAMING, ...own].filter((one) => one.includes('-'))) {
    t.deepEqual(forService({ [name.replaceAll('-', '_')]: 'x' }), [], name)
  }
  t.deepEqual(forService({ x_own: 'x', x_goog_iap_jwt_assertions: 'x' }), ['x_own', 'x_goog_iap_jwt_assertions'])
})

test('an identity that only Identity-Aware Proxy may send does not pass', (t) => {
  const forged = ['x-goog-authenticated-user-email', 'x-goog-authenticated-user-id', 'x-goog-iap-jwt-assertion']
  for (const name of forged) t.deepEqual(forService({ [name]: 'x' }), [], name)
  t.deepEqual(forService({ 'x-goog-request-id': 'x' }), ['x-goog-request-id'])
})
