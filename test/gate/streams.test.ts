import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http, { type IncomingMessage } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { createEvents } from '../../src/core/events.ts'
import { bearer, issuer, listen, listenGates, RUN, sendRaw, startGate, startService, stop, token } from './stack.ts'

/** Opens a request through the gate and leaves its body to the test. */
const open = (port: number, options: http.RequestOptions = {}, authorization = bearer()) =>
  http.request({ port, host: '127.0.0.1', agent: false, headers: { host: 'ledger', authorization }, ...options })

const responseTo = async (req: http.ClientRequest) => ((await once(req, 'response')) as [IncomingMessage])[0]

test('4 MB go up and come back whole', async (t) => {
  const { port } = await startGate(t, {}, (req, res) => void req.pipe(res))
  const chunk = randomBytes(1_000_000)
  const hashOf = async (source: AsyncIterable<Buffer>) => {
    const hash = createHash('sha256')
    for await (const part of source) hash.update(part)
    return hash.digest('hex')
  }
  const chunks = () => Readable.from(Array.from({ length: 4 }, () => chunk))
  const req = open(port, { method: 'POST' })
  const sent = pipeline(chunks(), req)
  const [echoed] = await Promise.all([responseTo(req).then(hashOf), sent])
  t.is(echoed, await hashOf(chunks()))
})

test('an event stream arrives event by event', async (t) => {
  let next = () => {}
  const { port } = await startGate(t, {}, (_, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' })
    let event = 0
    next = () => void res.write(`data: ${++event}\n\n`)
    next()
  })
  const req = open(port)
  req.end()
  const res = await responseTo(req)
  const events = res[Symbol.asyncIterator]()
  for (let event = 1; event <= 20; event += 1) {
    // The service sends the next one only when this one has arrived: a gate that buffers never gets here.
    t.is(String((await events.next()).value), `data: ${event}\n\n`)
    next()
  }
  req.destroy()
})

test('an idle event stream is not cut off', async (t) => {
  const { port, notices } = await startGate(t, {}, (_, res) => {
    res.write('data: 1\n\n')
    void setTimeout(2_500).then(() => res.end('data: 2\n\n'))
  })
  const req = open(port)
  req.end()
  t.is(await text(await responseTo(req)), 'data: 1\n\ndata: 2\n\n')
  t.deepEqual(notices(), [])
})

test('more open streams than the proxy library would hold at once do not keep the next request waiting', async (t) => {
  // httpxy holds 256 where it is given no agent.
  const streams = 257
  const { promise: allOpen, resolve } = Promise.withResolvers<void>()
  const { port, reached } = await startGate(t, { invokers: ['allUsers'] }, (req, res) => {
    res.write('open')
    if (req.url === '/short') res.end()
    else if (reached.length === streams) resolve()
  })
  // Of one caller: its answers wait for each other, and its requests do not.
  const caller = connect(port, '127.0.0.1')
  caller.write('GET / HTTP/1.1\r\nHost: ledger\r\n\r\n'.repeat(streams))
  await allOpen
  t.is(await text(await responseTo(open(port, { path: '/short' }).end())), 'open')
  caller.destroy()
})

test('nothing reaches the service before the decision, and a refused upload does not hang', async (t) => {
  const { port, service, reached } = await startGate(t)
  let connections = 0
  service.on('connection', () => {
    connections += 1
  })
  for (const agent of [false, new http.Agent({ keepAlive: true })] as const) {
    const req = open(port, { method: 'POST', agent }, 'Bearer junk')
    req.write(randomBytes(100_000))
    const res = await responseTo(req)
    t.is(res.statusCode, 401)
    // Node's client itself closes a connection that it will not keep once it has the answer.
    req.on('error', () => {}).end(randomBytes(4_000_000))
    t.regex(await text(res), /401 Unauthorized/)
    if (agent) agent.destroy()
  }
  t.is(connections + reached.length, 0)
})

test('duplicate Set-Cookie, status text and headers of the service come through', async (t) => {
  const { port } = await startGate(t, {}, (_, res) => {
    res.writeHead(418, 'Short And Stout', ['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'X-Own', 'yes'])
    res.end('tea')
  })
  const res = await responseTo(open(port).end())
  t.deepEqual(res.headers['set-cookie'], ['a=1', 'b=2'])
  t.like(res, { statusCode: 418, statusMessage: 'Short And Stout' })
  t.is(res.headers['x-own'], 'yes')
  t.is(await text(res), 'tea')
})

test('a HEAD, a 204 and a 304 come through without a body', async (t) => {
  const { port } = await startGate(t, {}, (req, res) => {
    res.writeHead(Number(req.url?.slice(1)), req.method === 'HEAD' ? { 'Content-Length': '5' } : {}).end()
  })
  const head = await responseTo(open(port, { method: 'HEAD', path: '/200' }).end())
  t.is(head.headers['content-length'], '5')
  t.is(await text(head), '')
  for (const status of [204, 304]) {
    const res = await responseTo(open(port, { path: `/${status}` }).end())
    t.is(res.statusCode, status)
    t.is(await text(res), '')
  }
})

test('a dead service is 502 with its reason in the log, and an upload to it does not hang', async (t) => {
  const { port, service, notices, decisions } = await startGate(t)
  await stop(service)
  const upload = `Connection: close\r\nContent-Length: 4000000\r\nAuthorization: ${bearer()}\r\n\r\n${'x'.repeat(4_000_000)}`
  const answer = await sendRaw(port, `POST / HTTP/1.1\r\nHost: ledger\r\n${upload}`)
  t.regex(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/)
  t.regex(answer, /<title>502 Server Error<\/title>[\s\S]*<\/html>\n$/)
  t.is(decisions()[0]?.decision, 'allow')
  t.is(notices().length, 1)
  t.regex(notices()[0]?.text ?? '', /^the upstream http:\/\/127\.0\.0\.1:\d+ failed: ECONN(REFUSED|RESET)\. Fix: /)
})

test('a service that breaks off breaks off for the caller too, and the gate lives on', async (t) => {
  const { port } = await startGate(t, {}, (req, res) => {
    if (req.url === '/fine') return void res.end('fine')
    res.writeHead(200, { 'Content-Length': '1000' })
    res.write('half', () => req.socket.resetAndDestroy())
  })
  const res = await responseTo(open(port).end())
  await t.throwsAsync(text(res), { message: /aborted/ })
  t.is(await text(await responseTo(open(port, { path: '/fine' }).end())), 'fine')
})

const HEAD = 'HTTP/1.1 200 OK\r\n'
const BROKEN_OFF = {
  'before the length that its head says': [`${HEAD}Content-Length: 100\r\n\r\nhalf`, /ECONNRESET/],
  'before the first byte of a body': [`${HEAD}Content-Length: 100\r\n\r\n`, /ECONNRESET/],
  'without a last chunk': [`${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`, /ECONNRESET/],
  'within a chunk': [`${HEAD}Transfer-Encoding: chunked\r\n\r\n40\r\nhalf\r\n`, /ECONNRESET/],
  'with a first chunk that is none': [`${HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n`, /HPE_INVALID_CHUNK/],
  'with a later chunk that is none': [
    `${HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n`,
    /HPE_INVALID_CHUNK/,
  ],
} as const satisfies Record<string, readonly [bytes: string, reason: RegExp]>

for (const [title, [bytes, reason]] of Object.entries(BROKEN_OFF)) {
  test(`an answer that its service ends ${title} is cut for the caller, and said of its call`, async (t) => {
    for (const how of ['end', 'resetAndDestroy'] as const) {
      const service = createServer((socket) => {
        socket.on('error', () => {}).once('data', () => socket.write(bytes, () => socket[how]()))
      })
      const upstream = `http://127.0.0.1:${await listen(service)}`
      t.teardown(() => stop(service))
      const { port, decisions, cuts, notices } = await startGate(t, { upstream })
      const head = `Host: ledger\r\nAuthorization: ${bearer()}`
      t.notRegex(await sendRaw(port, `GET /entries?a=1 HTTP/1.1\r\n${head}\r\n\r\n`), /\r\n0\r\n\r\n$/)
      const [cut, ...others] = cuts()
      t.deepEqual([others, notices()], [[], []])
      t.is(cut?.call, decisions()[0])
      t.like(cut, { code: 'UPSTREAM_FAILED', call: { upstreamStatus: 200, path: '/entries' } })
      t.regex(cut?.reason ?? '', new RegExp(`^the upstream ${upstream} failed: .*${reason.source}.*\\. Fix: `))
    }
  })
}

test('a caller that gives up is given up towards the service', async (t) => {
  let closed: Promise<unknown> = Promise.resolve()
  const { port, notices, cuts } = await startGate(t, {}, (_, res) => {
    closed = once(res, 'close')
    res.write('first')
  })
  const req = open(port).end()
  await once(await responseTo(req), 'data')
  req.destroy()
  await closed
  t.deepEqual([...notices(), ...cuts()], [], 'that is no failure of the service')
})

test('a caller that gives up in the middle of an upload ends it for the service', async (t) => {
  let aborted: Promise<unknown> = Promise.resolve()
  const { port, service } = await startGate(t, {}, (req) => {
    aborted = new Promise((resolve) => req.on('error', resolve).resume())
  })
  const req = open(port, {
    method: 'POST',
    headers: { host: 'ledger', authorization: bearer(), 'content-length': '1000' },
  })
  req.on('error', () => {})
  req.write('some')
  await once(service, 'request')
  req.destroy()
  await aborted
  t.pass()
})

test('a caller that leaves while its token is verified is told in the log, and reaches no service', async (t) => {
  const asked = Promise.withResolvers<http.ServerResponse>()
  const slow = http.createServer((_, res) => asked.resolve(res))
  const url = `http://127.0.0.1:${await listen(slow)}`
  t.teardown(() => stop(slow))
  const { upstream, reached } = await startService(t)
  const events = createEvents()
  const told = new Promise((resolve) => events.subscribe(resolve))
  const left = Promise.withResolvers<void>()
  const callerOf = (socket: Socket) => {
    socket.once('close', () => left.resolve())
    return 'billing'
  }
  const port = (await listenGates(t, [{ upstream, trust: [url] }], { events, callerOf })).get(0) ?? 0
  const req = open(port, {}, bearer({ iss: url })).on('error', () => {})
  req.end()
  const discovery = await asked.promise
  req.destroy()
  await left.promise
  discovery.end(JSON.stringify({ issuer: url, jwks_uri: `${issuer.url}/oauth2/v3/certs` }))
  t.like(await told, { type: 'gate', decision: 'allow', caller: 'billing', upstreamStatus: undefined })
  t.is(reached.length, 0)
})

test('a connection that has been idle for a second is not used again: the service may be closing it', async (t) => {
  // Answers, keeps the connection, and resets it on a request that comes after 1.2 s, as a race with its closing would.
  const service = createServer((socket) => {
    let usedAt = performance.now()
    socket.on('error', () => {})
    socket.on('data', () => {
      if (performance.now() - usedAt > 1_200) return void socket.resetAndDestroy()
      usedAt = performance.now()
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
  })
  const upstream = `http://127.0.0.1:${await listen(service)}`
  t.teardown(() => stop(service))
  const { port } = await startGate(t, { upstream })
  t.is((await responseTo(open(port).end())).statusCode, 200)
  await setTimeout(1_400)
  t.is((await responseTo(open(port).end())).statusCode, 200)
})

test('a WebSocket echoes through the gate', async (t) => {
  const { port, service, decisions } = await startGate(t, { invokers: ['allUsers'] })
  service.on('upgrade', (req, socket) => {
    socket.on('error', () => {})
    const accept = createHash('sha1')
      .update(`${req.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    )
    socket.on('data', (frame: Buffer) => {
      const mask = frame.subarray(2, 6)
      const payload = frame.subarray(6).map((byte, at) => byte ^ (mask[at % 4] as number))
      socket.write(Buffer.concat([Buffer.from([0x81, payload.length]), payload]))
    })
  })
  const client = new WebSocket(`ws://127.0.0.1:${port}/chat`)
  await once(client, 'open')
  for (const word of ['one', 'two']) {
    client.send(word)
    const [message] = (await once(client, 'message')) as [MessageEvent]
    t.is(message.data, word)
  }
  client.close()
  t.is(decisions()[0]?.code, 'PUBLIC')
})

const UPGRADE =
  'Host: ledger\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'

test('a WebSocket needs a token like any request; its signature is taken off, and identities are dropped', async (t) => {
  const { port, service } = await startGate(t)
  let upgrades = 0
  let seen: http.IncomingHttpHeaders = {}
  service.on('upgrade', (req, socket) => {
    upgrades += 1
    seen = req.headers
    socket.on('error', () => {})
    socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello')
  })
  const without = await sendRaw(port, `GET /chat HTTP/1.1\r\n${UPGRADE}\r\n`)
  t.regex(without, /^HTTP\/1\.1 403 Forbidden\r\n/)
  t.regex(without, /get URL <code>\/chat<\/code>/)
  const bad = await sendRaw(port, `GET /chat HTTP/1.1\r\n${UPGRADE}Authorization: Bearer junk\r\n\r\n`)
  t.regex(bad, /^HTTP\/1\.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error="invalid_token" error_desc/)
  t.is(upgrades, 0)
  const good = `${UPGRADE}Authorization: ${bearer()}\r\nX-Goog-Authenticated-User-Email: boss\r\n`
  const answer = await sendRaw(port, `GET /chat HTTP/1.1\r\n${good}\r\n`)
  t.regex(answer, /^HTTP\/1\.1 101 [\s\S]*hello$/)
  t.regex(seen.authorization ?? '', /\.SIGNATURE_REMOVED_BY_GOOGLE$/)
  t.is(seen['x-forwarded-for'], '127.0.0.1')
  t.is(seen['x-goog-authenticated-user-email'], undefined)
})

test('a WebSocket to a dead service is 502, and to an unknown host 404', async (t) => {
  const { port, service, notices } = await startGate(t, { host: 'ledger' })
  await stop(service)
  const answer = await sendRaw(port, `GET / HTTP/1.1\r\n${UPGRADE}Authorization: ${bearer()}\r\n\r\n`)
  t.regex(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/)
  t.is(notices()[0]?.code, 'UPSTREAM_FAILED')
  const unknown = await sendRaw(port, `GET / HTTP/1.1\r\n${UPGRADE.replace('ledger', 'nobody')}\r\n`)
  t.regex(unknown, /^HTTP\/1\.1 404 Not Found\r\n/)
})

test('either side that resets an open WebSocket closes the other one, and only the service breaks off an answer', async (t) => {
  const { port, service, cuts } = await startGate(t)
  const upgraded = () => once(service, 'upgrade') as Promise<[IncomingMessage, import('node:net').Socket]>
  service.on('upgrade', (_, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  })
  for (const side of ['caller', 'service'] as const) {
    const caller = connect(port, '127.0.0.1')
    caller.on('error', () => {})
    const upgrade = upgraded()
    caller.write(`GET / HTTP/1.1\r\n${UPGRADE}Authorization: ${bearer()}\r\n\r\n`)
    const [, socket] = await upgrade
    await once(caller, 'data')
    const closed = once(side === 'caller' ? socket.resume() : caller.resume(), 'end')
    if (side === 'caller') caller.resetAndDestroy()
    else socket.resetAndDestroy()
    await closed
    t.is(cuts().length, side === 'caller' ? 0 : 1)
  }
})

test('a service that resets a WebSocket which its caller has ended breaks off no answer', async (t) => {
  const { port, service, cuts, decisions } = await startGate(t)
  const reset = Promise.withResolvers<void>()
  service.on('upgrade', (_, socket: Socket) => {
    socket
      .on('error', () => {})
      .write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.resume().on('end', () => reset.resolve(void socket.resetAndDestroy()))
  })
  const caller = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  caller.write(`GET / HTTP/1.1\r\n${UPGRADE}Authorization: ${bearer()}\r\n\r\n`)
  await once(caller, 'data')
  const ended = once(caller.resume(), 'end')
  caller.end()
  await Promise.all([reset.promise, ended])
  t.deepEqual(cuts(), [])
  t.like(decisions()[0], { upstreamStatus: 101 })
})

test('a WebSocket that its caller left is closed towards a service that does not hang up by itself', async (t) => {
  const service = createServer({ allowHalfOpen: true }, (socket) => {
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
    )
  })
  const upstream = `http://127.0.0.1:${await listen(service)}`
  t.teardown(() => stop(service))
  const { port } = await startGate(t, { upstream })
  const caller = connect(port, '127.0.0.1')
  const connected = once(service, 'connection') as Promise<[import('node:net').Socket]>
  caller.write(`GET / HTTP/1.1\r\n${UPGRADE}Authorization: ${bearer()}\r\n\r\n`)
  const [socket] = await connected
  await once(caller, 'data')
  const refused = once(socket, 'error')
  socket.resume().once('end', function write() {
    if (!socket.destroyed) socket.write('late', () => setImmediate(write))
  })
  caller.resetAndDestroy()
  const [error] = (await refused) as [NodeJS.ErrnoException]
  t.regex(String(error.code), /ECONNRESET|EPIPE/)
})

test('an offer of HTTP/2 is passed over: the request is served as HTTP/1.1 and the service does not see the offer', async (t) => {
  const { port, reached } = await startGate(t)
  const offer =
    'Host: ledger\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA\r\n'
  const socket = connect(port, '127.0.0.1')
  socket.write(`POST / HTTP/1.1\r\n${offer}Content-Length: 2\r\nAuthorization: Bearer ${token({ aud: RUN })}\r\n\r\nhi`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  t.regex(String(answer), /^HTTP\/1\.1 200 OK\r\n/)
  t.like(reached[0]?.headers, { upgrade: undefined, 'http2-settings': undefined, 'content-length': '2' })
})

test('CONNECT is not served', async (t) => {
  const { port, reached } = await startGate(t, { invokers: ['allUsers'] })
  t.regex(await sendRaw(port, 'CONNECT ledger:80 HTTP/1.1\r\nHost: ledger\r\n\r\n'), /^HTTP\/1\.1 405 /)
  t.is(reached.length, 0)
})
