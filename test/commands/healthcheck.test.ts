import { once } from 'node:events'
import { createServer } from 'node:http'
import net, { type AddressInfo } from 'node:net'
import test from 'ava'
import { startSidemint } from '../../src/index.ts'
import { run } from './run.ts'

const portOf = ({ url }: { url: string }) => new URL(url).port

/** A port where nothing listens. */
async function closedPort(): Promise<string> {
  const gone = await startSidemint()
  await gone.close()
  return portOf(gone)
}

test('healthcheck is 0 where a server serves and 1 where none does', async (t) => {
  await using server = await startSidemint()
  const port = portOf(server)
  t.deepEqual(await run(['healthcheck', '--port', port]), { code: 0, out: '', err: '' })
  t.is((await run(['healthcheck', '--ready'], { SIDEMINT_PORT: port, SIDEMINT_HOST: '0.0.0.0' })).code, 0)
  const none = await run(['healthcheck'], { SIDEMINT_PORT: await closedPort(), SIDEMINT_HOST: '' })
  t.is(none.code, 1)
  t.regex(none.err, /^sidemint: 127\.0\.0\.1:\d+\/_sidemint\/health: ECONNREFUSED\n$/)
})

test('healthcheck is 2 for misuse', async (t) => {
  for (const argv of [['--port'], ['--port=x'], ['--port=65536'], ['--redy'], ['extra']]) {
    const { code, out, err } = await run(['healthcheck', ...argv])
    t.is(code, 2, argv.join(' '))
    t.is(out, '')
    t.false(err.includes('INTERNAL'))
  }
})

test('healthcheck in the image asks the ports of a server and of a gate, and elsewhere the default one', async (t) => {
  const elsewhere = { SIDEMINT_HOST: '127.0.0.99' }
  const asked = ({ err }: { err: string }) => [...err.matchAll(/127\.0\.0\.99:(\d+)\//g)].map(([, port]) => port)
  t.deepEqual(asked(await run(['healthcheck'], { ...elsewhere, SIDEMINT_IMAGE: 'true' })), ['80', '8081'])
  t.deepEqual(asked(await run(['healthcheck'], { ...elsewhere, SIDEMINT_IMAGE: 'false' })), ['16925'])
  t.deepEqual(asked(await run(['healthcheck', '--port=9'], { ...elsewhere, SIDEMINT_IMAGE: 'true' })), ['9'])
})

test('healthcheck of a server that listens on every IPv6 address asks loopback', async (t) => {
  await using server = await startSidemint()
  t.is((await run(['healthcheck'], { SIDEMINT_PORT: portOf(server), SIDEMINT_HOST: '::' })).code, 0)
})

test('healthcheck waits no longer than 2 s for an answer', async (t) => {
  const silent = net.createServer(() => {}).listen(0, '127.0.0.1')
  t.teardown(() => silent.close())
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const { code, err } = await run(['healthcheck', `--port=${port}`])
  t.is(code, 1)
  t.regex(err, /no answer in time\n$/)
})

test('healthcheck waits no longer for the end of an answer that never ends', async (t) => {
  const dribbling = createServer((_, res) => {
    res.writeHead(200)
    const timer = setInterval(() => res.write('x'), 50)
    res.on('close', () => clearInterval(timer))
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    dribbling.close()
    dribbling.closeAllConnections()
  })
  await once(dribbling, 'listening')
  const { port } = dribbling.address() as AddressInfo
  const { code, err } = await run(['healthcheck', `--port=${port}`])
  t.is(code, 1)
  t.regex(err, /no answer in time\n$/)
})
