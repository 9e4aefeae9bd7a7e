/** Requests that come before the ones ahead of them are answered: answers keep their order (RFC 9112 §9.3.2). */

import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { listen } from '../../src/http/listener.ts'

const PIECES = 64

/** `/big` is 4 MB in pieces, each written once there is room. `/slow` and the rest of `/begun` are answered once `release` is called, `/never` never, every other path at once. */
async function start(t: ExecutionContext) {
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const entered: string[] = []
  const { promise: left, resolve: leave } = Promise.withResolvers<void>()
  const handler: RequestListener = async (req, res) => {
    res.once('close', leave)
    entered.push(req.url ?? '')
    res.setHeader('X-Path', req.url ?? '')
    if (req.url === '/begun') res.write('half of ')
    if (req.url === '/never') return
    if (req.url === '/big') return void Readable.from(Array(PIECES).fill('x'.repeat(65_536))).pipe(res)
    if (req.url === '/slow' || req.url === '/begun') await released
    res.end(`answer to ${req.url}`)
  }
  const { port, close } = await listen({
    host: '127.0.0.1',
    port: 0,
    handler,
    upgrade: (_, socket) => void socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
    headers: [],
  })
  t.teardown(() => close(0))
  const bare = createServer(handler).listen(0, '127.0.0.1')
  t.teardown(() => void bare.close())
  await once(bare, 'listening')
  return { port, bare, release, entered, left }
}

const get = (path: string, head = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${head}\r\n`
const CLOSE = 'Connection: close\r\n'

/** All that comes back for these bytes, sent in one piece. The slow answers begin once all of it was looked at. */
async function send(port: number, bytes: string, release: () => void): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const received = text(socket).catch(() => 'reset')
  socket.write(bytes)
  await once(socket, 'ready')
  setTimeout(release, 150)
  return received
}

/** What was answered: the status, and which request it belongs to. */
const statuses = (received: string) =>
  [...received.matchAll(/HTTP\/1\.1 (\d+)(?:[^\r]*\r\n(?:X-Path: (\S+))?)/g)].map(([, status, path]) =>
    path === undefined ? status : `${status} ${path}`,
  )

const CASES: [title: string, bytes: string, expected: string[]][] = [
  ['requests behind a slow one', get('/slow') + get('/b') + get('/c', CLOSE), ['200 /slow', '200 /b', '200 /c']],
  ['a request behind one that closes', get('/a', CLOSE) + get('/b'), ['200 /a']],
  ['a request behind a slow one that closes', get('/slow', CLOSE) + get('/b'), ['200 /slow']],
  ['line breaks behind a slow one that closes', `${get('/slow', CLOSE)}\r\n\r\n`, ['200 /slow']],
  ['what cannot be read behind one that closes', `${get('/a', CLOSE)}nonsense\r\n\r\n`, ['200 /a']],
  ['what cannot be read behind a slow one', `${get('/slow')}nonsense\r\n\r\n`, ['200 /slow', '400']],
  ['what cannot be read behind several', `${get('/slow')}${get('/b')}nonsense\r\n\r\n`, ['200 /slow', '200 /b', '400']],
  ['what cannot be read behind an answer that has begun', `${get('/begun')}nonsense\r\n\r\n`, ['200 /begun', '400']],
  ['a CONNECT behind a slow one', `${get('/slow')}CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n`, ['200 /slow', '405']],
  [
    'an upgrade behind a slow one',
    get('/slow') + get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
    ['200 /slow', '101'],
  ],
  ['a CONNECT behind a big one', `${get('/big')}CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n`, ['200 /big', '405']],
  [
    'an upgrade behind a big one',
    get('/big') + get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'),
    ['200 /big', '101'],
  ],
  ['what cannot be read behind a big one', `${get('/big')}nonsense\r\n\r\n`, ['200 /big', '400']],
  [
    'a broken body behind a slow one',
    `${get('/slow')}POST /never HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
    ['200 /slow', '400'],
  ],
  ['two Host headers behind a slow one', `${get('/slow')}${get('/b', 'Host: b\r\n')}`, ['200 /slow', '400']],
]

for (const [title, bytes, expected] of CASES) {
  test(`answers keep their order: ${title}`, async (t) => {
    const { port, release, entered } = await start(t)
    const received = await send(port, bytes, release)
    t.deepEqual(statuses(received), expected, received.slice(0, 2_000))
    for (const path of entered.filter((one) => expected.includes(`200 ${one}`)))
      t.true(received.includes(`answer to ${path}`) || received.length > PIECES * 65_536, 'and each is whole')
  })
}

test('what node:http alone answers in order is answered as there', async (t) => {
  const { port, bare, release } = await start(t)
  const bytes = get('/slow') + get('/b') + get('/c', CLOSE)
  const [ours, theirs] = await Promise.all([send(port, bytes, release), send(portOf(bare), bytes, release)])
  const withoutTimes = (received: string) => received.replace(/^(Date|Keep-Alive): .*\r\n/gm, '')
  t.is(withoutTimes(ours), withoutTimes(theirs))
})

const portOf = (server: Server) => (server.address() as AddressInfo).port

for (const [what, bytes] of [
  ['an upgrade', get('/ws', 'Connection: Upgrade\r\nUpgrade: websocket\r\n')],
  ['a CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n'],
  ['nonsense', 'nonsense\r\n\r\n'],
] as const) {
  test(`a caller that resets its connection while ${what} waits its turn ends nothing but that`, async (t) => {
    const { port, release, entered, left } = await start(t)
    const socket = connect(port, '127.0.0.1').on('error', () => {})
    socket.write(get('/slow') + bytes)
    while (entered.length === 0) await setImmediate()
    socket.resetAndDestroy()
    await left
    release()
    t.deepEqual(statuses(await send(port, get('/a', CLOSE), () => {})), ['200 /a'])
  })
}
