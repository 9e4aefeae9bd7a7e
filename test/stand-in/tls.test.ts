import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type ConnectionOptions, connect, createSecureContext, createServer } from 'node:tls'
import test from 'ava'
import { freePort } from '../free-port.ts'
import { signLeaf } from './leaf.ts'
import { call, type Stand, startStand } from './stand.ts'

let stand: Stand
test.before(async () => {
  stand = await startStand()
})
test.after.always(() => stand.close())

const CERTS = 'https://www.googleapis.com/oauth2/v3/certs'

/** How a handshake ended: the protocol, or the error's code. */
async function shake(options: ConnectionOptions, port = stand.port): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca: stand.certificate, ...options })
  try {
    await once(socket, 'secureConnect')
    return socket.getProtocol() ?? ''
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? ''
  } finally {
    socket.destroy()
  }
}

test('who comes before there is a certificate is turned away as if nobody listened, without a word about TLS', async (t) => {
  const port = await freePort()
  let started = false
  const starting = startStand({ standInPort: port })
  void starting.finally(() => {
    started = true
  })
  const ended = new Set<string>()
  while (!started) ended.add(await shake({ servername: 'www.googleapis.com' }, port))
  await using late = await starting
  ended.delete('TLSv1.3')
  t.deepEqual([...ended].sort(), ['ECONNREFUSED', 'ECONNRESET'])
  t.false(late.notices.some(({ code, text }) => code === 'STAND_IN_HANDSHAKE' && !text.includes('ALERT')))
  t.is((await call(late, CERTS)).status, 200)
})

test('TLS 1.2 and 1.3 are spoken, older ones are not', async (t) => {
  const servername = 'www.googleapis.com'
  t.is(await shake({ servername, maxVersion: 'TLSv1.2' }), 'TLSv1.2')
  t.is(await shake({ servername }), 'TLSv1.3')
  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }
    t.regex(await shake({ servername, ...old }), /ERR_SSL_|ECONNRESET/, version)
  }
  t.true(stand.notices.some(({ code, text }) => code === 'STAND_IN_HANDSHAKE' && text.includes('127.0.0.1')))
})

test('each of the four names is vouched for, and no other name or address is', async (t) => {
  for (const servername of [
    'www.googleapis.com',
    'oauth2.googleapis.com',
    'accounts.google.com',
    'iamcredentials.googleapis.com',
  ]) {
    t.is(await shake({ servername }), 'TLSv1.3', servername)
  }
  for (const servername of ['example.com', 'storage.googleapis.com', 'googleapis.com', 'sub.www.googleapis.com']) {
    t.is(await shake({ servername }), 'ERR_TLS_CERT_ALTNAME_INVALID', servername)
  }
  t.is(await shake({}), 'ERR_TLS_CERT_ALTNAME_INVALID', 'an address')
})

test('who does not trust the certificate is told so by its own TLS', async (t) => {
  t.is(await shake({ servername: 'www.googleapis.com', ca: undefined }), 'DEPTH_ZERO_SELF_SIGNED_CERT')
})

test('a leaf that the key of the stand-in signs is refused by who trusts the certificate', async (t) => {
  const key = readFileSync(join(dirname(stand.directory), 'stand-in.key'), 'utf8')
  const server = createServer(await signLeaf('example.com', key, stand.certificate))
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  t.regex(await shake({ servername: 'example.com' }, port), /INVALID_CA|UNABLE_TO|INVALID_PURPOSE|UNSPECIFIED/)
})

test('without SNI the Host header says who is meant', async (t) => {
  const { status } = await call(stand, CERTS, { tls: { servername: '', checkServerIdentity: () => undefined } })
  t.is(status, 200)
})

test('a client certificate is not asked for, and does no harm', async (t) => {
  const key = readFileSync(join(dirname(stand.directory), 'stand-in.key'), 'utf8')
  const secureContext = createSecureContext({ ca: stand.certificate, cert: stand.certificate, key })
  t.is((await call(stand, CERTS, { tls: { secureContext } })).status, 200)
})

test('what is not served is a 404 in JSON that says who answers, and is said in the log once', async (t) => {
  const url = 'https://www.googleapis.com/storage/v1/b?secret=1'
  for (const method of ['GET', 'GET', 'POST']) {
    const { status, headers, json } = await call(stand, url, { method })
    t.is(status, 404)
    t.is(headers['content-type'], 'application/json; charset=UTF-8')
    t.like(json.error, { code: 404, status: 'NOT_FOUND' })
    t.regex(JSON.stringify(json), /sidemint's stand-in .* not Google, .*\/storage\/v1\/b/)
  }
  const said = stand.notices.filter(
    ({ code, text }) => code === 'STAND_IN_NOT_SERVED' && text.includes('/storage/v1/b'),
  )
  t.deepEqual(
    said.map(({ text }) => /(GET|POST) https/.exec(text)?.[1]),
    ['GET', 'POST'],
  )
  t.false(JSON.stringify(said).includes('secret'))
})

test('a path of one host is not served under another, nor under a name that is none of the four', async (t) => {
  const tls = { checkServerIdentity: () => undefined }
  for (const host of ['accounts.google.com', 'storage.googleapis.com', 'localhost', '127.0.0.1', '']) {
    const { status, body } = await call(stand, CERTS, { headers: { host }, tls })
    t.is(status, 404, host)
    t.regex(body, /stand-in/)
  }
  const { status } = await call(stand, CERTS, { headers: { host: 'WWW.googleapis.com.:443' }, tls })
  t.is(status, 200)
})

test("the metadata server's own paths are not there", async (t) => {
  for (const path of ['/computeMetadata/v1/', '/_sidemint/health', '/_sidemint/metrics']) {
    const headers = { 'Metadata-Flavor': 'Google' }
    t.is((await call(stand, `https://www.googleapis.com${path}`, { headers })).status, 404, path)
  }
})
