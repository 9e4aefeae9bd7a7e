import { once } from 'node:events'
import { createServer, type RequestListener, type ServerOptions } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { SidemintError } from '../../src/core/errors.ts'
import { listen } from '../../src/http/listener.ts'
import { ask, parseReply, sendRaw } from '../http-client.ts'

const start = (handler: RequestListener, host = '127.0.0.1', port = 0) => listen({ host, port, handler, headers: [] })
const urlOf = ({ port }: { port: number }) => `http://127.0.0.1:${port}`

test('closing waits for what is in flight, and takes nothing new', async (t) => {
  const entered = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const listener = await start(async (_, response) => {
    entered.resolve()
    await released.promise
    response.end('done')
  })
  const asking = ask(urlOf(listener), '/')
  await entered.promise
  const closing = listener.close(30_000)
  await t.throwsAsync(ask(urlOf(listener), '/'), { code: 'ECONNREFUSED' })
  released.resolve()
  t.is((await asking).body, 'done')
  await closing
})

test('what is still in flight after the grace is cut off', async (t) => {
  const entered = Promise.withResolvers<void>()
  const listener = await start(() => entered.resolve())
  const failing = t.throwsAsync(ask(urlOf(listener), '/'), { code: 'ECONNRESET' })
  await entered.promise
  await listener.close(100)
  await failing
})

test('connections on which nothing was asked, or nothing more, end at once', async (t) => {
  const listener = await start((_, response) => response.end('done'))
  for (const bytes of ['', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n']) {
    const socket = connect(listener.port, '127.0.0.1')
    socket.on('error', () => {}).resume()
    await once(socket, 'connect')
    socket.write(bytes)
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
  const startedAt = performance.now()
  await listener.close(30_000)
  t.true(performance.now() - startedAt < 10_000)
})

test('a kept connection ends with the answer that was in flight on it', async (t) => {
  const entered = Promise.withResolvers<void>()
  const listener = await start((_, response) => {
    entered.resolve()
    setTimeout(() => response.end('done'), 150)
  })
  const socket = connect(listener.port, '127.0.0.1')
  socket.on('error', () => {}).resume()
  await once(socket, 'connect')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await entered.promise
  const startedAt = performance.now()
  await listener.close(30_000)
  t.true(performance.now() - startedAt < 10_000)
})

test('while it closes, kept connections are told that they end, by the answer in flight too', async (t) => {
  const entered = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const listener = await start(async (_, response) => {
    entered.resolve()
    await released.promise
    response.writeHead(200, ['Content-Length', '4'])
    response.end('done')
  })
  const received = sendRaw(urlOf(listener), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await entered.promise
  const closing = listener.close(30_000)
  released.resolve()
  const reply = parseReply(await received)
  t.like(reply, { status: 200, body: 'done' })
  t.is(reply.headers.connection, 'close')
  await closing
})

test('at the end of the grace there is a last call, and what it answers still arrives', async (t) => {
  const entered = Promise.withResolvers<void>()
  const lastCall = Promise.withResolvers<void>()
  const listener = await start(async (_, response) => {
    entered.resolve()
    await lastCall.promise
    response.end('at last')
  })
  const asking = ask(urlOf(listener), '/')
  await entered.promise
  const closing = listener.close(50, lastCall.resolve)
  t.is((await asking).body, 'at last')
  await closing
})

test('a client that was refused holds no connection, even where it never closes its side', async (t) => {
  const listener = await start(() => {})
  const socket = connect({ port: listener.port, host: '127.0.0.1', allowHalfOpen: true })
  const reset = new Promise((resolve) => socket.on('error', resolve))
  socket.resume().write('nonsense\r\n\r\n')
  await once(socket, 'end')
  const sending = setInterval(() => socket.write('more'), 20)
  t.like(await Promise.race([reset, sleep(10_000, 'still open', { ref: false })]), { syscall: 'write' })
  clearInterval(sending)
  await listener.close(0)
  t.pass()
})

test('a request that does not all arrive in its time is 408, and one that comes slowly within it is answered', async (t) => {
  const handler: RequestListener = async (request, response) => {
    const body = await text(request).catch(() => '')
    response.end(body)
  }
  // Node looks for those that are late every 30 s.
  const create = (limits: ServerOptions, handle: RequestListener) =>
    createServer({ ...limits, connectionsCheckingInterval: 100 }, handle)
  const listener = await listen({ host: '127.0.0.1', port: 0, handler, create, requestMs: 2_000, headers: [] })
  const send = async (parts: readonly string[], pauseMs: number) => {
    const socket = connect(listener.port, '127.0.0.1')
    const received = text(socket)
    for (const part of parts) {
      socket.write(part)
      await sleep(pauseMs)
    }
    return received
  }
  const order = 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\n'
  const [endless, headless, slow] = await Promise.all([
    send([order, 'a'], 0),
    send(['GET / HTTP/1.1\r\nHo'], 0),
    send([order, ...'abcd'], 100),
  ])
  t.regex(
    endless,
    /^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*Connection: close\r\n\r\nthe request did not arrive in time\. Fix: /,
  )
  t.regex(headless, /^HTTP\/1\.1 408 /)
  t.regex(slow, /^HTTP\/1\.1 200 [\s\S]*abcd/)
  await listener.close(0)
})

test('where nothing else is said a request, and a connection that asks nothing yet, have as long as Node gives them', async (t) => {
  const bare = createServer()
  let server = bare
  let limits: ServerOptions = {}
  const create = (given: ServerOptions, handler: RequestListener) => {
    limits = given
    server = createServer(given, handler)
    return server
  }
  const listener = await listen({ host: '127.0.0.1', port: 0, handler: () => {}, create, headers: [] })
  await listener.close(0)
  t.not(server, bare)
  t.is(server.requestTimeout, bare.requestTimeout)
  t.is(server.headersTimeout, bare.headersTimeout)
  t.is(limits.connectionsCheckingInterval, undefined)
})

test('of an answer that was given at once nothing is kept with its connection', async (t) => {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  const answers: WeakRef<object>[] = []
  const listener = await start((_, response) => {
    answers.push(new WeakRef(response))
    response.end('done')
  })
  const socket = connect(listener.port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'data')
  for (let turn = 0; turn < 50 && answers[0]?.deref() !== undefined; turn += 1) {
    await sleep(20)
    collect()
  }
  t.is(answers.length, 1)
  t.true(answers[0]?.deref() === undefined)
  socket.destroy()
  await listener.close(0)
})

test('an address that cannot be listened on is an error with a code, the address and the reason', async (t) => {
  const taken = await start(() => {})
  for (const [host, port, code] of [
    ['127.0.0.1', taken.port, 'PORT_TAKEN'],
    ['192.0.2.1', 0, 'ADDRESS_UNAVAILABLE'],
    ['no-such-host.invalid', 0, 'ADDRESS_UNAVAILABLE'],
  ] as const) {
    const error = await t.throwsAsync(
      start(() => {}, host, port),
      { instanceOf: SidemintError },
    )
    t.is((error as SidemintError).code, code)
    t.true(error?.message.includes(`${host}:${port}`))
  }
  await taken.close(0)
})
