import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { mock } from 'node:test'
import test from 'ava'
import { jwtVerify } from 'jose'
import { GCLOUD_CLIENT_ID } from '../../src/core/google.ts'
import { readClaims } from '../../src/core/token.ts'
import { ask, parseReply, remoteKeys } from '../http-client.ts'
import { EMAIL, SECRET, startControlled } from './server.ts'

const ORDERS = ['control/fail-next', 'control/issue', 'control/reset', 'control/rotate']

test('without a secret there is no control API', async (t) => {
  const { order } = await startControlled(t, { controlSecret: undefined })
  for (const path of ORDERS) t.is((await order(path, {})).status, 404, path)
  t.is((await order('requests', undefined, { method: 'DELETE' })).status, 404)
})

test('another secret, or none, is 401 and orders nothing', async (t) => {
  const { server, order, get } = await startControlled(t)
  for (const path of ORDERS) {
    for (const Authorization of ['', `Bearer ${SECRET}x`, 'Bearer', `Basic ${SECRET}`, SECRET, `Bearer ${SECRET} x`]) {
      const { status, headers, text } = await order(path, {}, { headers: { Authorization } })
      t.is(status, 401, `${path} ${Authorization}`)
      t.is(headers.get('www-authenticate'), 'Bearer')
      t.is(headers.get('content-type'), 'application/json')
      t.is(JSON.parse(text).error, 'CONTROL_SECRET_WRONG')
      t.false(text.includes(SECRET))
    }
  }
  t.is((await order('requests', undefined, { method: 'DELETE', headers: { Authorization: 'Bearer no' } })).status, 401)
  t.is((await get('requests')).totals.failed, 0)
  t.is((await ask(server.url, '/_sidemint/control/reset')).status, 404, 'nothing to read there')
})

test('what cannot be ordered is 404 and names what can, for who has the secret', async (t) => {
  const { order } = await startControlled(t)
  const asked = [await order('control/fial-next', {}), await order('control/reset', undefined, { method: 'GET' })]
  for (const { status, text } of asked) {
    t.is(status, 404)
    t.is(JSON.parse(text).error, 'ORDER_UNKNOWN')
    for (const path of ORDERS) t.true(text.includes(`POST /_sidemint/${path}`), text)
  }
  t.regex(asked[0]?.text ?? '', /POST \/_sidemint\/control\/fial-next/)
  const stranger = await order('control/fial-next', {}, { headers: { Authorization: 'Bearer no' } })
  t.is(stranger.status, 405)
  t.false(stranger.text.includes('rotate'))
})

test('fail-next lets token requests fail', async (t) => {
  const { order, identity } = await startControlled(t)
  const { status, text } = await order('control/fail-next', { status: 403, times: 2, audience: 'https://a*' })
  t.deepEqual([status, text], [200, '{}'])
  t.is((await identity('https://b.example')).status, 200)
  t.is((await identity('https://a.example')).status, 403)
  t.is((await identity(GCLOUD_CLIENT_ID)).status, 200)
  t.is((await identity('https://a.example')).status, 403)
  t.is((await identity('https://a.example')).status, 200)
  await order('control/fail-next')
  t.is((await identity('https://a.example')).status, 503, 'as failNext() has it')
  await order('control/fail-next', { drop: true })
  await t.throwsAsync(identity('https://a.example'), { code: 'ECONNRESET' })
})

test('issue signs tokens that receivers verify, of accounts and of people', async (t) => {
  const { server, order } = await startControlled(t)
  const claims = { email_verified: false, extra: { x: 1 } }
  const issued = (await order('control/issue', { audience: 'https://a', claims, expiresInSeconds: 60 })).json()
  const { payload } = await jwtVerify(issued.token, remoteKeys(server.jwksUri), { issuer: server.issuer })
  t.like(payload, { aud: 'https://a', email: EMAIL, ...claims })
  t.is((payload.exp ?? 0) - (payload.iat ?? 0), 60)
  const other = (await order('control/issue', { audience: 'a', serviceAccount: 'b@x.example' })).json()
  t.is(readClaims(other.token)?.email, 'b@x.example')
  const { token } = (await order('control/issue', { user: 'ann@acme.example' })).json()
  t.like(readClaims(token), { aud: GCLOUD_CLIENT_ID, email: 'ann@acme.example', hd: 'acme.example' })
})

test('of a token that issue made the record says where it came from', async (t) => {
  const { server, order, get } = await startControlled(t)
  const audience = 'http://ledger:8080'
  const { token } = (await order('control/issue', { audience })).json()
  const headers = { Host: 'ledger', Authorization: `Bearer ${token}` }
  await ask(server.front?.urls[0] ?? '', '/', { headers })
  t.like((await get('requests')).hops, [{ account: EMAIL, token: { caller: 'a test', identity: EMAIL, audience } }])
})

test('reset empties requests, counts, grants, failures and cached tokens, says how many, and nothing else', async (t) => {
  const { server, order, identity, get } = await startControlled(t)
  const before = (await identity('https://a.example')).body
  await identity('https://a.example')
  await order('control/fail-next', { times: 5 })
  await ask(server.front?.urls[0] ?? '', '/', { headers: { Host: 'shop' } })
  const keys = (await ask(server.url, '/oauth2/v3/certs')).body
  t.deepEqual((await order('control/reset')).json(), {
    emptied: { requests: 2, calls: 1, grants: 1, failures: 5, tokens: 1 },
  })
  t.deepEqual((await order('control/reset')).json().emptied, {
    requests: 0,
    calls: 0,
    grants: 0,
    failures: 0,
    tokens: 0,
  })
  const { requests, asked, totals } = await get('requests')
  t.deepEqual([requests, asked, totals.asked], [[], [], 0])
  t.deepEqual((await get('grants')).grants, [])
  const after = await identity('https://a.example')
  t.is(after.status, 200)
  t.is((await get('requests')).requests[0].result, 'mint', 'the token was forgotten')
  t.is((await ask(server.url, '/oauth2/v3/certs')).body, keys)
  t.is(readClaims(after.body)?.sub, readClaims(before)?.sub)
})

test('rotate signs with another key from then on', async (t) => {
  const { server, order, identity } = await startControlled(t)
  const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid
  const before = (await identity('https://a.example')).body
  const { kid } = (await order('control/rotate')).json()
  const after = (await identity('https://a.example')).body
  t.is(kidOf(after), kid)
  t.not(kidOf(before), kid)
  await t.notThrowsAsync(jwtVerify(before, remoteKeys(server.jwksUri)))
})

test('DELETE empties what was asked, and leaves failures that were ordered', async (t) => {
  const { order, identity, get } = await startControlled(t)
  for (let time = 0; time < 3; time += 1) await identity('https://a.example')
  t.is((await get('requests')).requests.length, 3, 'hits are recorded too')
  await order('control/fail-next')
  t.is((await order('requests', undefined, { method: 'DELETE' })).status, 200)
  t.deepEqual((await get('requests')).requests, [])
  t.is((await identity('https://a.example')).status, 503)
})

/** That many objects, one in the other. */
const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

test('claims may hold whatever JSON does, 100 levels deep, and name what no object should', async (t) => {
  const { order } = await startControlled(t)
  const claims = `{"deep":${nested(99)},"__proto__":{"polluted":true},"n":1e400,"\\u202e":"<b>\\u0000"}`
  const { status, json } = await order('control/issue', `{"audience":"a","claims":${claims}}`)
  t.is(status, 200)
  t.is(JSON.stringify(readClaims(json().token)?.deep), nested(99))
  t.false('polluted' in {})
})

test('a body that cannot be used is 400 with its reason, and orders nothing', async (t) => {
  const { order, identity } = await startControlled(t)
  const bodies: [path: string, body: unknown, reason: RegExp][] = [
    ['control/fail-next', '{', /not JSON/],
    ['control/fail-next', '[]', /object/],
    ['control/fail-next', '"x"', /object/],
    ['control/fail-next', 'null', /object/],
    ['control/fail-next', { status: '503' }, /status must be a whole number/],
    ['control/fail-next', { status: 200 }, /status must be a whole number from 400 to 599/],
    ['control/fail-next', { times: 1e9 }, /times must be/],
    ['control/fail-next', { delay: 5 }, /delay unknown key \(did you mean delayMs\?\)/],
    ['control/fail-next', { drop: 1 }, /drop must be true or false/],
    ['control/fail-next', `{"audience":"${'x'.repeat(70_000)}"}`, /more than 64 kB/],
    ['control/fail-next', ' '.repeat(2_000_000), /more than 64 kB/],
    ['control/issue', {}, /an audience or a user/],
    ['control/issue', { audience: 'a', user: 'ann@acme.example' }, /an audience or a user, and not both/],
    ['control/issue', { user: 'ann' }, /user must be an email/],
    ['control/issue', { audience: 'a', claims: [] }, /claims/],
    ['control/issue', `{"audience":"a","claims":${nested(101)}}`, /claims must be .* at most 100 levels deep/],
    ['control/issue', `{"audience":"a","claims":{"x":${'['.repeat(30_000)}${']'.repeat(30_000)}}}`, /claims/],
    ['control/issue', '{"audience":"a","__proto__":{"user":"ann@acme.example"}}', /__proto__ unknown key/],
    ['control/issue', { audience: 'a', expiresInSeconds: 1e12 }, /expiresInSeconds must be/],
    ['control/reset', { tokens: true }, /tokens unknown key/],
  ]
  for (const [path, body, reason] of bodies) {
    const { status, text } = await order(path, body)
    t.is(status, 400, String(reason))
    const { error, error_description } = JSON.parse(text)
    t.is(error, 'CONTROL_BODY_INVALID')
    t.regex(error_description, reason)
  }
  t.is((await identity('https://a.example')).status, 200)
})

test('a body may begin with a byte order mark, as PowerShell writes one', async (t) => {
  const { order, identity } = await startControlled(t)
  t.is((await order('control/fail-next', '\ufeff{"status":403}')).status, 200)
  t.is((await identity('https://a.example')).status, 403)
})

test.serial(
  'the body of an order has ten seconds to arrive: a later one is 408, and its connection ends',
  async (t) => {
    const { server } = await startControlled(t)
    const { port } = new URL(server.url)
    /** The first half of an order, once the server waits for the second. */
    const begin = async () => {
      const socket = connect(Number(port), '127.0.0.1')
      const head = ['POST /_sidemint/control/reset HTTP/1.1', 'Host: a', `Authorization: Bearer ${SECRET}`]
      socket.write([...head, 'Content-Length: 2', 'Expect: 100-continue', '', '{'].join('\r\n'))
      const [continued] = await once(socket, 'data')
      t.regex(String(continued), /^HTTP\/1\.1 100 Continue\r\n\r\n$/)
      return socket
    }
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const [late, slow] = [await begin(), await begin()]
      const answers = [text(late), once(slow, 'data').then(String)] as const
      mock.timers.tick(9_999)
      slow.write('}')
      t.regex(await answers[1], /^HTTP\/1\.1 200 OK\r\n/)
      mock.timers.tick(1)
      const { status, headers, body } = parseReply(await answers[0])
      t.is(status, 408)
      t.is(headers.connection, 'close')
      t.like(JSON.parse(body), { error: 'CONTROL_BODY_LATE' })
      slow.destroy()
    } finally {
      mock.timers.reset()
    }
  },
)
