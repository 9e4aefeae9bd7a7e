/** What neither a caller nor a service may do to a gate, however odd the HTTP is that it sends. */

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createEvents } from '../../src/core/events.ts'
import { bearer, listen, listenGates, sendRaw, startGate, startRawService, stop } from './stack.ts'

const OPEN = { invokers: ['allUsers'] }

/** A gate before a service of raw bytes; `ask` sends a request with that method and version and answers all of the reply. */
async function before(t: ExecutionContext, answer: string) {
  const { upstream } = await startRawService(t, answer)
  const { port, notices, decisions } = await startGate(t, { upstream, ...OPEN })
  const ask = (method = 'GET', version = '1.1') =>
    sendRaw(port, `${method} / HTTP/${version}\r\nHost: ledger\r\nConnection: close\r\n\r\n`)
  return { port, ask, notices, decisions }
}

const TRAILER_ANSWERS: [name: string, answer: string, method: string, version: string, status: number][] = [
  ['on HEAD', 'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n', 'HEAD', '1.1', 200],
  ['with 204', 'HTTP/1.1 204 No Content\r\nTrailer: X-Sum\r\n\r\n', 'GET', '1.1', 204],
  ['with 304', 'HTTP/1.1 304 Not Modified\r\nTrailer: X-Sum\r\n\r\n', 'GET', '1.1', 304],
  ['with a length', 'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nContent-Length: 2\r\n\r\nok', 'GET', '1.1', 200],
  [
    'to an HTTP/1.0 client',
    'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n',
    'GET',
    '1.0',
    200,
  ],
]
for (const [name, answer, method, version, status] of TRAILER_ANSWERS) {
  test(`a service that announces a Trailer ${name} is handed on without it`, async (t) => {
    const { ask } = await before(t, answer)
    const received = await ask(method, version)
    t.regex(received, new RegExp(`^HTTP/1\\.1 ${status} `))
    t.notRegex(received, /trailer|x-sum/i)
    if (answer.includes('ok')) t.regex(received, /\r\n\r\nok$/)
  })
}

const UNWRITABLE: [name: string, answer: string][] = [
  ['the status 000', 'HTTP/1.1 000 Nothing\r\nContent-Length: 2\r\n\r\nno'],
  ['the status 099', 'HTTP/1.1 099 Nothing\r\nContent-Length: 2\r\n\r\nno'],
  ['a control character in its reason', 'HTTP/1.1 200 O\x01K\r\nContent-Length: 2\r\n\r\nno'],
  ['101 that names no protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\nno'],
  ['101 to a plain GET', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nno'],
  ['a coding that nobody takes off', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n'],
]
for (const [name, answer] of UNWRITABLE) {
  test(`${name} is 502, and the log says so`, async (t) => {
    const { ask, notices } = await before(t, answer)
    const received = await ask()
    t.regex(received, /^HTTP\/1\.1 502 Bad Gateway\r\n/)
    t.regex(received, /<\/html>\n$/)
    t.deepEqual(
      notices().map(({ code }) => code),
      ['UPSTREAM_FAILED'],
    )
  })
}

test('a caller may announce a Trailer without chunks', async (t) => {
  const { port, reached } = await startGate(t, OPEN)
  const received = await sendRaw(port, 'GET / HTTP/1.1\r\nHost: ledger\r\nTrailer: X-Sum\r\nConnection: close\r\n\r\n')
  t.regex(received, /^HTTP\/1\.1 200 OK/)
  t.is(reached[0]?.headers.trailer, undefined)
})

test('headers of one connection go no further than that connection, either way', async (t) => {
  const { upstream, heads } = await startRawService(
    t,
    'HTTP/1.1 200 OK\r\nConnection: X-Own, close\r\nX-Own: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\nok',
  )
  const { port } = await startGate(t, { upstream })
  const received = await sendRaw(
    port,
    `GET / HTTP/1.1\r\nHost: ledger\r\nConnection: close, X-Mine, Authorization, X-Forwarded-For, Host, Content-Length\r\nX-Mine: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic YTpi\r\nAuthorization: ${bearer()}\r\nContent-Length: 0\r\nX-Kept: 1\r\n\r\n`,
  )
  t.notRegex(received, /x-own|timeout=5|proxy-connection|upgrade/i)
  t.regex(received, /\r\nx-kept: 1\r\n/i)
  const [head = ''] = heads
  t.notRegex(head, /x-mine|\nte:|keep-alive: 5|proxy-/i)
  t.regex(head, /\r\nhost: ledger\r\n/i)
  t.regex(head, /\r\nx-kept: 1\r\n/i)
  t.regex(head, /\r\nx-forwarded-for: 127\.0\.0\.1\r\n/i)
  t.regex(head, /\r\nauthorization: Bearer .*\.SIGNATURE_REMOVED_BY_GOOGLE\r\n/i)
})

test('an answer may have a head of 64 kB, and with a longer one is 502', async (t) => {
  const answer = (bytes: number) => {
    const [before, after] = ['HTTP/1.1 200 OK\r\nX-Large: ', '\r\nContent-Length: 2\r\n\r\n']
    return `${before}${'x'.repeat(bytes - before.length - after.length)}${after}ok`
  }
  // Node leaves some 35 bytes of the head uncounted.
  const fits = await before(t, answer(65_550))
  const received = await fits.ask()
  t.regex(received, /^HTTP\/1\.1 200 OK\r\n/)
  t.true(received.length > 65_000)
  const over = await before(t, answer(65_600))
  t.regex(await over.ask(), /^HTTP\/1\.1 502 /)
  t.regex(over.notices()[0]?.text ?? '', /HPE_HEADER_OVERFLOW/)
})

test('a body in chunks reaches the service in chunks, of a GET and of a DELETE too', async (t) => {
  const { upstream, heads } = await startRawService(t, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const { port } = await startGate(t, { upstream, ...OPEN })
  for (const method of ['GET', 'DELETE', 'POST']) {
    await sendRaw(
      port,
      `${method} / HTTP/1.1\r\nHost: ledger\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
    )
    t.regex(heads.at(-1) ?? '', /\r\ntransfer-encoding: chunked\r\n/i, method)
    t.notRegex(heads.at(-1) ?? '', /content-length/i, method)
  }
})

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'

test('a POST that offers an upgrade is answered as a POST', async (t) => {
  const { upstream, heads } = await startRawService(t, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const { port } = await startGate(t, { upstream, ...OPEN })
  const received = await sendRaw(port, `POST / HTTP/1.0\r\nHost: ledger\r\n${UPGRADE}Content-Length: 2\r\n\r\nhi`)
  t.regex(received, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/)
  t.notRegex(heads[0] ?? '', /upgrade/i)
})

test("a WebSocket offer with a body is a plain request, so nobody else's request ends in that body", async (t) => {
  const received: string[] = []
  const service = createServer((socket) => {
    socket.on('error', () => {}).setEncoding('latin1')
    socket.on('data', (chunk) => {
      received.push(String(chunk))
      if (received.join('').includes('hi')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
  })
  const upstream = `http://127.0.0.1:${await listen(service)}`
  t.teardown(() => stop(service))
  const { port } = await startGate(t, { upstream, ...OPEN })
  for (const [framing, body] of [
    ['Content-Length: 2', 'hi'],
    ['Transfer-Encoding: chunked', '2\r\nhi\r\n0\r\n\r\n'],
  ]) {
    received.length = 0
    const head = `GET / HTTP/1.1\r\nHost: ledger\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n${framing}`
    t.regex(await sendRaw(port, `${head}\r\n\r\n${body}`), /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/)
    t.notRegex(received.join(''), /upgrade/i)
    t.regex(received.join(''), /hi/)
  }
})

test('what a service sends after the end of its answer takes nothing from the answer', async (t) => {
  for (const [method, answer] of [
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\nhello'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello'],
    ['GET', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokhello'],
  ] as const) {
    const { ask } = await before(t, answer)
    const received = await ask(method)
    t.is(received.split('\r\n')[0], answer.split('\r\n')[0])
    t.notRegex(received, /hello/)
  }
})

test('a refused WebSocket is the answer of the service, and 502 where that cannot be written', async (t) => {
  for (const [answer, status] of [
    ['HTTP/1.1 426 Upgrade Required\r\nTrailer: X-Sum\r\nContent-Length: 2\r\n\r\nno', 426],
    ['HTTP/1.1 099 Nothing\r\nContent-Length: 2\r\n\r\nno', 502],
    ['HTTP/1.1 400 B\x01d\r\nContent-Length: 2\r\n\r\nno', 502],
  ] as const) {
    const { port } = await before(t, answer)
    const received = await sendRaw(port, `GET / HTTP/1.1\r\nHost: ledger\r\n${UPGRADE}\r\n`)
    t.regex(received, new RegExp(`^HTTP/1\\.1 ${status} `))
    t.is(received.match(/HTTP\/1\.1 /g)?.length, 1, 'one answer alone')
  }
})

test('a service that misbehaves takes nothing from the other services behind the gate', async (t) => {
  const bad = await startRawService(t, 'HTTP/1.1 099 \x01\r\nTrailer: X\r\n\r\n')
  const good = await startRawService(t, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const list = [
    { host: 'bad', upstream: bad.upstream, ...OPEN },
    { host: 'good', upstream: good.upstream, ...OPEN },
  ]
  const port = (await listenGates(t, list, { events: createEvents() })).get(0) ?? 0
  const ask = (host: string) => sendRaw(port, `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  t.regex(await ask('bad'), /^HTTP\/1\.1 502 /)
  t.regex(await ask('good'), /^HTTP\/1\.1 200 /)
})

test('the gate itself answers Expect, and the service does not see it', async (t) => {
  const { upstream, heads } = await startRawService(t, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const { port } = await startGate(t, { upstream, ...OPEN })
  for (const expectation of ['100-continue', 'tea']) {
    const head = `POST / HTTP/1.1\r\nHost: ledger\r\nConnection: close\r\nExpect: ${expectation}\r\nContent-Length: 2\r\n\r\n`
    t.regex(await sendRaw(port, `${head}hi`), /HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/)
    t.notRegex(heads.at(-1) ?? '', /expect/i)
  }
})

test('Connection cannot name away where a message ends', async (t) => {
  const { upstream, heads } = await startRawService(t, 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  const { port } = await startGate(t, { upstream, ...OPEN })
  for (const framing of ['Content-Length: 2\r\n\r\nhi', 'Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n']) {
    const [name = ''] = framing.split(':')
    await sendRaw(port, `GET / HTTP/1.1\r\nHost: ledger\r\nConnection: close, ${name}, Host\r\n${framing}`)
    t.regex(heads.at(-1) ?? '', new RegExp(`\\r\\n${name}: `, 'i'))
    t.regex(heads.at(-1) ?? '', /\r\nhost: ledger\r\n/i)
  }
})

test('a page that waits for the end of an upload is not cut off by a second fault of the service', async (t) => {
  const { port, notices } = await before(t, 'HTTP/1.1 099 Nothing\r\nContent-Length: 100\r\n\r\nno')
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const received = text(socket)
  socket.write('POST / HTTP/1.1\r\nHost: ledger\r\nConnection: close\r\nContent-Length: 4\r\n\r\nha')
  await once(socket, 'data')
  // By then the service has closed its connection in the middle of its answer.
  await setTimeout(100)
  socket.write('lf')
  t.regex(await received, /^HTTP\/1\.1 502 [\s\S]*<\/html>\n$/)
  t.is(notices().length, 1)
})
