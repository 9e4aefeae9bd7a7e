/** A gate's HTTP where proxies usually get it wrong, and its remarks on what Cloud Run would refuse (docs/gate.md, "What passes here and not there"). */

import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import { connect } from 'node:net'
import test from 'ava'
import { createEvents } from '../../src/core/events.ts'
import { authorityFor, trust } from '../google/start.ts'
import { recordEvents } from '../recorder.ts'
import { startIssuer } from './issuer.ts'
import { bearer, listen, listenGates, RUN, sendRaw, startGate, startRawService, startService, stop } from './stack.ts'

const OPEN = { invokers: ['allUsers'] }
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('a URL in the request line chooses the gate by its authority and reaches the service as a path', async (t) => {
  const { upstream, heads } = await startRawService(t, OK)
  const other = await startService(t)
  const list = [
    { host: 'ledger', upstream, ...OPEN },
    { host: 'other', upstream: other.upstream, ...OPEN },
  ]
  const port = (await listenGates(t, list, { events: createEvents() })).get(0) ?? 0
  for (const [target, path] of [
    ['http://ledger:8080/a?b=c', '/a?b=c'],
    ['HTTP://ledger', '/'],
    ['http://ledger?x', '/?x'],
    ['http://ann:canary@ledger/a', '/a'],
  ]) {
    await sendRaw(port, `GET ${target} HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n`)
    t.true(heads.at(-1)?.startsWith(`GET ${path} HTTP/1.1\r\n`), heads.at(-1))
    t.regex(heads.at(-1) ?? '', /\r\nhost: ledger(:8080)?\r\n/)
    t.notRegex(heads.at(-1) ?? '', /canary/)
  }
  t.is(other.reached.length, 0)
})

test('OPTIONS * reaches the service as it is', async (t) => {
  const { upstream, heads } = await startRawService(t, OK)
  const { port } = await startGate(t, { upstream, ...OPEN })
  await sendRaw(port, 'OPTIONS * HTTP/1.1\r\nHost: ledger\r\nConnection: close\r\n\r\n')
  t.regex(heads[0] ?? '', /^OPTIONS \* HTTP\/1\.1\r\n/)
})

test('a service at an IPv6 address is reached', async (t) => {
  const service = http.createServer((_, res) => void res.end('six'))
  service.listen(0, '::1')
  const listening = await Promise.race([once(service, 'listening'), once(service, 'error')])
  if (listening.length > 0) return t.log('no IPv6 here')
  t.teardown(() => stop(service))
  const { port } = service.address() as { port: number }
  const { send } = await startGate(t, { upstream: `http://[::1]:${port}`, ...OPEN })
  t.is((await send()).body, 'six')
})

test('the certificate of a service is checked by its own name, not by the one that the caller asked for', async (t) => {
  const { caPem, keyPem, certificatePem } = await authorityFor(['localhost'])
  trust(caPem)
  const service = https.createServer(
    { key: keyPem, cert: certificatePem },
    (req, res) => void res.end(req.headers.host),
  )
  const port = await listen(service)
  t.teardown(() => stop(service))
  const { send } = await startGate(t, { upstream: `https://localhost:${port}`, ...OPEN })
  t.like(await send(['Host', 'ledger']), { status: 200, body: 'ledger' })
  const byAddress = await startGate(t, { upstream: `https://127.0.0.1:${port}`, ...OPEN })
  t.is((await byAddress.send(['Host', 'localhost'])).status, 502)
  t.regex(byAddress.notices()[0]?.text ?? '', /ERR_TLS_CERT_ALTNAME_INVALID/)
})

test('the head of a stream that says nothing yet arrives at once', async (t) => {
  const { port } = await startGate(t, OPEN, (_, res) => res.flushHeaders())
  const req = http.get({ port, host: '127.0.0.1', agent: false, headers: { host: 'ledger' } })
  const [res] = await once(req, 'response')
  t.is(res.statusCode, 200)
  req.on('error', () => {}).destroy()
})

test('a decision tells method, path without its query, and what the service answered', async (t) => {
  const { send, decisions } = await startGate(t, {}, (_, res) => void res.writeHead(418).end())
  await send(['Authorization', bearer()], { method: 'PUT', path: '/a/b?secret=1' })
  await send(['Host', 'h'.repeat(500)], { path: `/${'x'.repeat(500)}` })
  t.like(decisions()[0], { decision: 'allow', method: 'PUT', path: '/a/b', upstreamStatus: 418, status: undefined })
  t.like(decisions()[1], { decision: 'refuse', status: 403, upstreamStatus: undefined })
  t.is(decisions()[1]?.path.length, 200)
  t.is(decisions()[1]?.host.length, 255)
})

test('the fix is in the words of the place where the setting was written', async (t) => {
  const stranger = ['Authorization', bearer({ email: 'x@y.iam.gserviceaccount.com' }), 'Host', 'ledger']
  const untrusted = ['Authorization', bearer({ iss: 'http://nobody' }), 'Host', 'ledger']
  const flags = await startGate(t)
  const file = await startGate(t, { host: 'ledger' })
  for (const { send } of [flags, file]) {
    await send(stranger)
    await send(untrusted)
  }
  const fixes = [...flags.decisions(), ...file.decisions()].map(({ reason }) => reason.replace(/.*Fix: /, ''))
  t.deepEqual(
    fixes.map((fix) => fix.match(/(--\w+|in the entry.*`gates:`|`\w+:`.*`gates:`)/)?.[1]),
    ['--invoker', '--trust', 'in the entry of ledger under `gates:`', '`trust:` of ledger under `gates:`'],
  )
})

test('a line that says whose a subject is can be typed where the setting was written', async (t) => {
  const nameless = ['Authorization', bearer({ sub: '113', email: undefined }), 'Host', 'ledger']
  const subjects = { '112': 'ann@acme.com' }
  const flags = await startGate(t, { subjects })
  const file = await startGate(t, { host: 'ledger', subjects })
  for (const { send } of [flags, file]) await send(nameless)
  t.regex(flags.decisions()[0]?.reason ?? '', /write `--subject=113=EMAIL` on the command line$/)
  t.regex(
    file.decisions()[0]?.reason ?? '',
    /write `subject: \["112=ann@acme\.com", "113=EMAIL"\]` in the entry of ledger under `gates:`$/,
  )
})

test('what Cloud Run would not do is said once a path', async (t) => {
  let nowMs = 0
  const events = createEvents()
  const seen = recordEvents(events)
  const { service, upstream, reached } = await startService(t, (req, res) => {
    if (req.url?.endsWith('/slow')) nowMs += 5 * 60_000 + 1
    req.resume().on('end', () => res.end('ok'))
  })
  const port = (await listenGates(t, [{ upstream, ...OPEN }], { events, now: () => nowMs })).get(0) ?? 0
  const ask = (path: string, body = '') =>
    sendRaw(
      port,
      `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  for (const path of ['/healthz', '/healthz?x', '/healthz/', '/slow', '/slow', '/fast', `/${'z'.repeat(9_000)}/slow`])
    await ask(path)
  t.is(reached.length, 7)
  for (const [path, size] of [
    ['/large', 32 * 1024 * 1024 + 1],
    ['/less', 32 * 1024 * 1024],
  ]) {
    const upload = connect(port, '127.0.0.1')
    upload.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\nx`)
    const [arriving] = await once(service, 'request')
    upload.destroy()
    await new Promise((broken) => arriving.once('error', broken))
  }
  const told = seen.flatMap((event) => (event.type === 'notice' ? [`${event.code} ${event.text.slice(0, 30)}`] : []))
  t.deepEqual(told, [
    "UNLIKE_CLOUD_RUN POST /healthz: Google's front ",
    'UNLIKE_CLOUD_RUN POST /slow: it took longer tha',
    `UNLIKE_CLOUD_RUN POST /${'z'.repeat(24)}`,
    'UNLIKE_CLOUD_RUN POST /large: Cloud Run takes a',
  ])
  for (const event of seen) if (event.type === 'notice') t.true(event.text.length < 400, 'a caller cannot fill the log')
})

test('a preflight without a token is refused as there, and told as that', async (t) => {
  const { send, notices } = await startGate(t)
  for (const path of ['/a', '/a']) {
    const answer = await send(['Access-Control-Request-Method', 'POST'], { method: 'OPTIONS', path })
    t.is(answer.status, 403)
  }
  await send([], { method: 'OPTIONS' })
  await send([], { path: '/healthz' })
  t.is(notices().length, 1, 'what is refused is told nothing more')
  t.regex(notices()[0]?.text ?? '', /^OPTIONS \/a: browsers send no token with a preflight/)
})

test('TLS and HTTP/2 at the port are told as what they are', async (t) => {
  const { port, notices } = await startGate(t, OPEN)
  for (const bytes of ['\x16\x03\x01\x02\x00\x01\x00', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'nonsense\r\n\r\n']) {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {}).write(bytes, 'latin1')
    await once(socket.resume(), 'close')
  }
  t.deepEqual(
    notices().map(({ code, text }) => `${code} ${text.slice(0, 22)}`),
    ['NOT_HTTP_1 a caller speaks TLS, w', 'NOT_HTTP_1 a caller speaks HTTP/2'],
  )
})

test('a caller is named, and the name is awaited before the line', async (t) => {
  const { upstream } = await startService(t)
  const events = createEvents()
  const seen = recordEvents(events)
  const callerOf = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    return 'orders'
  }
  const port = (await listenGates(t, [{ upstream, ...OPEN }], { events, callerOf })).get(0) ?? 0
  await sendRaw(port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  t.like(seen[0], { type: 'gate', caller: 'orders' })
})

test('a WebSocket is told once it is open, with the status of the service', async (t) => {
  const { port, service, decisions } = await startGate(t, OPEN)
  service.on('upgrade', (_, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  })
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await once(socket, 'data')
  t.like(decisions()[0], { path: '/chat', upstreamStatus: 101 })
  socket.destroy()
})

test('gates that trust the same issuers fetch their keys once', async (t) => {
  const { upstream } = await startService(t)
  const own = await startIssuer()
  const trust = [own.url]
  const list = ['a', 'b', 'c'].map((host) => ({ host, upstream, trust, invokers: ['allAuthenticatedUsers'] }))
  const port = (await listenGates(t, list, { events: createEvents() })).get(0) ?? 0
  const authorization = `Bearer ${own.sign({ aud: RUN })}`
  for (const host of ['a', 'b', 'c']) {
    const request = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nAuthorization: ${authorization}\r\n\r\n`
    t.regex(await sendRaw(port, request), /^HTTP\/1\.1 200 /)
  }
  t.is(own.asked.length, 2)
})
