import { execFile } from 'node:child_process'
import { type IncomingMessage, request as requestPlain } from 'node:http'
import { request } from 'node:https'
import { createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { createAgent } from '../../src/http/agent.ts'
import { proxyFor } from '../../src/http/proxy.ts'
import { type FakeGoogle, startFakeGoogle } from '../google/start.ts'

const CERTS = 'https://www.googleapis.com/oauth2/v3/certs'

let google: FakeGoogle

test.before(async () => {
  google = await startFakeGoogle()
  google.trust()
})

test.after.always(() => google.close())

function agentOf(t: ExecutionContext, proxy: string, url = CERTS) {
  const ending = new AbortController()
  t.teardown(() => ending.abort())
  return {
    agent: createAgent(url, proxyFor(url, { HTTP_PROXY: proxy }), ending.signal),
    end: () => ending.abort(),
  }
}

async function get(agent: ReturnType<typeof createAgent>, url = CERTS): Promise<number> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const ask = url.startsWith('https:') ? request : requestPlain
    ask(url, { agent }, resolve).on('error', reject).end()
  })
  await text(response)
  return response.statusCode ?? 0
}

/** A proxy that answers every CONNECT with these bytes, or with nothing, and what became of its connections. */
async function startProxy(t: ExecutionContext, answer: (socket: Socket) => void) {
  let open = 0
  const sockets: Socket[] = []
  const closed = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    open += 1
    sockets.push(socket)
    socket
      .on('error', () => {})
      .on('close', () => {
        open -= 1
        closed.resolve()
      })
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  return { url: `http://ann:hunter2@127.0.0.1:${port}`, open: () => open, closed: closed.promise }
}

test.serial('requests one after the other, and at once, share one connection through the proxy', async (t) => {
  const { agent } = agentOf(t, google.proxyUrl)
  const before = google.connections.made
  t.is(await get(agent), 200)
  t.deepEqual(await Promise.all([get(agent), get(agent), get(agent)]), [200, 200, 200])
  t.is(google.connections.made - before, 1)
})

test('a host without TLS is asked through the proxy, without TLS', async (t) => {
  const proxy = await startProxy(t, (socket) => {
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    socket.once('data', (asked) => socket.end(`HTTP/1.1 ${`${asked}`.startsWith('GET /a') ? 204 : 400} Told\r\n\r\n`))
  })
  const url = 'http://plain.example/a'
  t.is(await get(agentOf(t, proxy.url, url).agent, url), 204)
})

const REFUSALS: [title: string, code: string, answer: (socket: Socket) => void][] = [
  ...[302, 403, 407, 502, 503].map((status): [string, string, (socket: Socket) => void] => [
    `answers ${status}`,
    `PROXY_${status}`,
    (socket) => socket.end(`HTTP/1.1 ${status} No\r\nLocation: https://login.corp/\r\nContent-Length: 2\r\n\r\nno`),
  ]),
  ['closes the connection', 'PROXY_CLOSED', (socket) => socket.end()],
  ['resets the connection', 'PROXY_ECONNRESET', (socket) => socket.resetAndDestroy()],
  ['answers -1', 'PROXY_NOT_HTTP', (socket) => socket.end('HTTP/1.1 -1 No\r\n\r\n')],
  ['answers 0', 'PROXY_NOT_HTTP', (socket) => socket.end('HTTP/1.1 000 No\r\n\r\n')],
  ['is not one', 'PROXY_NOT_HTTP', (socket) => socket.end('220 mail.corp ESMTP\r\n\r\n')],
]
for (const [title, code, answer] of REFUSALS) {
  test(`a proxy that ${title} is at fault, and not the host behind it`, async (t) => {
    const proxy = await startProxy(t, answer)
    const error = await t.throwsAsync(get(agentOf(t, proxy.url).agent))
    t.is((error as NodeJS.ErrnoException).code, code)
    t.notRegex(String(error), /hunter2/)
    await proxy.closed
    t.is(proxy.open(), 0)
  })
}

test('a proxy that is not there is at fault', async (t) => {
  const error = await t.throwsAsync(get(agentOf(t, 'http://127.0.0.1:1').agent))
  t.is((error as NodeJS.ErrnoException).code, 'PROXY_ECONNREFUSED')
})

test('what closes the agent closes its connection, also one that waits for the proxy', async (t) => {
  const asked = Promise.withResolvers<void>()
  const proxy = await startProxy(t, () => asked.resolve())
  const { agent, end } = agentOf(t, proxy.url)
  const getting = t.throwsAsync(get(agent))
  await asked.promise
  t.is(proxy.open(), 1)
  end()
  await getting
  await proxy.closed
  t.is(proxy.open(), 0)
})

test('an idle connection does not keep a process alive', async (t) => {
  const script = `
    import { request } from 'node:https'
    import { createAgent } from ${JSON.stringify(import.meta.resolve('../../src/http/agent.ts'))}
    import { proxyFor } from ${JSON.stringify(import.meta.resolve('../../src/http/proxy.ts'))}
    const agent = createAgent('${CERTS}', proxyFor('${CERTS}'), new AbortController().signal)
    request('${CERTS}', { agent }, (response) => response.resume().on('end', () => console.log(response.statusCode))).end()`
  const options = { env: { ...process.env, ...google.env }, timeout: 20_000 }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], options)
  t.is(stdout, '200\n')
})
