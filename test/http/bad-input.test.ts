import { once } from 'node:events'
import { connect } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { type Sidemint, startSidemint } from '../../src/index.ts'
import { ask, DEFAULT_ACCOUNT, parseReply, type Reply, sendRaw, V1 } from '../http-client.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
let server: Sidemint
test.before(async () => {
  server = await startSidemint({ serviceAccount: EMAIL })
})
test.after.always(async (t) => {
  t.is((await ask(server.url, '/_sidemint/health')).status, 200, 'it survived everything')
  await server.close()
})

/** What holds for every refusal: never a 500, Google's headers, a length, one line or one page, no stack. */
function isCleanRefusal(t: ExecutionContext, reply: Reply, status: number): void {
  t.is(reply.status, status, reply.body)
  t.is(reply.headers['metadata-flavor'], 'Google')
  t.is(reply.headers['content-length'], String(Buffer.byteLength(reply.body)))
  t.is(reply.headers['transfer-encoding'], undefined)
  t.false(/\bat .*:\d+:\d+|node_modules|node:internal|\.ts\b/.test(reply.body), reply.body)
  const isPage = String(reply.headers['content-type']).includes('charset')
  if (isPage) t.regex(reply.body, /^<!DOCTYPE html>/)
  else t.regex(reply.body.trimEnd(), /^[ -~]+$/)
}

const head = (target: string, ...more: string[]) =>
  [`GET ${target} HTTP/1.1`, 'Host: metadata', 'Metadata-Flavor: Google', 'Connection: close', ...more, '', ''].join(
    '\r\n',
  )

const AUDIENCES: [name: string, audience: string][] = [
  ['of 8 kB', `https://a.example/${'x'.repeat(8_192 - 18)}`],
  ['of 8 kB that need encoding', 'ü'.repeat(4_096)],
  ['that is no URL', 'billing'],
  ['of one space', ' '],
  ['with spaces and quotes', ' a "b" \'c\' '],
  ['in Cyrillic', 'https://пример.example/ы'],
  ['with an emoji', 'https://a.example/🙂'],
  ['with combining characters', 'é'],
  ['with NUL', 'a\0b'],
  ['with line ends', 'a\r\nX-Injected: 1\r\n\r\nb'],
  ['with terminal codes', '\x1b[31mred\x1b[0m'],
  ['with markup', '<script>alert(1)</script>'],
  ['named __proto__', '__proto__'],
  ['named constructor', 'constructor'],
  ['named undefined', 'undefined'],
  ['of a percent sign', '%'],
  ['of JSON', '{"aud":["a","b"]}'],
]
for (const [name, audience] of AUDIENCES) {
  test(`an audience ${name} comes back in aud exactly as it was asked`, async (t) => {
    const reply = await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${encodeURIComponent(audience)}`)
    t.is(reply.status, 200, reply.body)
    t.is(readClaims(reply.body)?.aud, audience)
    t.is(reply.headers['x-injected'], undefined)
  })
}

test('an audience of more than 8 kB is a 400 that says so', async (t) => {
  for (const audience of ['x'.repeat(8_193), 'ü'.repeat(4_097)]) {
    const reply = await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${encodeURIComponent(audience)}`)
    isCleanRefusal(t, reply, 400)
    t.is(JSON.parse(reply.body).error, 'AUDIENCE_TOO_LONG')
  }
})

test('an audience with broken percent-encoding is taken as a URL parser takes it', async (t) => {
  for (const [query, audience] of [
    ['%', '%'],
    ['%zz', '%zz'],
    ['%ff', '\ufffd'],
    ['a%E2%82', 'a\ufffd'],
  ] as const) {
    const { status, body } = await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${query}`)
    t.is(status, 200)
    t.is(readClaims(body)?.aud, audience)
  }
})

const UNREADABLE: [name: string, bytes: string | Buffer][] = [
  ['raw UTF-8 in an audience', head(`${DEFAULT_ACCOUNT}/identity?audience=https://bücher.example`)],
  ['raw UTF-8 in a path', head('/ü')],
  ['a raw NUL in a path', head('/computeMetadata/v1/\0')],
  ['a raw space in a path', head('/computeMetadata/v1/a b')],
  ['a target that is no path', head('computeMetadata/v1/')],
  ['a target of backslashes', head('\\computeMetadata\\v1')],
  ['a URL of no known scheme', head('x://[/')],
  ['a URL of another scheme', head('ftp://metadata/computeMetadata/v1/')],
  ['two Hosts', head('/', 'Host: metadata')],
  ['two Hosts, one of them in upper case', head('/', 'HOST: evil.example')],
  ['an unknown method', head('/').replace('GET', 'BREW')],
  ['a method in lower case', head('/').replace('GET', 'get')],
  ['no HTTP at all', 'hello\r\n\r\n'],
  ['the beginning of TLS', Buffer.from('16030100fa010000f60303', 'hex')],
  ['HTTP/2 in the clear', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['an unknown version', head('/').replace('HTTP/1.1', 'HTTP/9.9')],
  ['a header without a colon', head('/', 'nonsense')],
  ['a header with a space in its name', head('/', 'Metadata Flavor: Google')],
  ['two lengths', head('/', 'Content-Length: 1', 'Content-Length: 2')],
  ['a length and chunks', head('/', 'Content-Length: 1', 'Transfer-Encoding: chunked')],
  ['a negative length', head('/', 'Content-Length: -1')],
]
for (const [name, bytes] of UNREADABLE) {
  test(`${name} is a 400 in one line`, async (t) => {
    isCleanRefusal(t, parseReply(await sendRaw(server.url, bytes)), 400)
  })
}

const PATHS = [
  '/computeMetadata/v1/..',
  '/computeMetadata/v1/../v1/project/project-id',
  '/computeMetadata/v1/./project/project-id',
  '/computeMetadata/v1/%2e%2e/v1/project/project-id',
  '/computeMetadata/v1/%2E%2E%2fv1/project/project-id',
  '/computeMetadata/v1/project%2Fproject-id',
  '/computeMetadata/v1/project/project-id%00',
  '/computeMetadata/v1/%00',
  '/computeMetadata/v1/%zz',
  '/computeMetadata/v1/%',
  '/computeMetadata/v1/%ff',
  '/computeMetadata/v1/project/project-id%20',
  '/computeMetadata/v1/__proto__',
  '/computeMetadata/v1/__proto__/',
  '/computeMetadata/v1/__proto__/toString',
  '/computeMetadata/v1/constructor',
  '/computeMetadata/v1/constructor/prototype',
  '/computeMetadata/v1/hasOwnProperty',
  '/computeMetadata/v1/toString/',
  '/computeMetadata/v1/instance/service-accounts/__proto__/token',
  '/computeMetadata/v1/instance/service-accounts/constructor/identity?audience=https://a.example',
  '/computeMetadata/v1/instance/service-accounts/default/__proto__',
  '/computeMetadata/v1/project/project-id/length',
  '/computeMetadata/v1/project/project-id/0',
  '/computeMetadata/v1/instance/service-accounts/default/token/x',
  '/computeMetadata/v1/instance/service-accounts/default/scopes/length',
  '/__proto__',
  '/constructor/',
  '/%zz',
  '/%00',
  '/..',
  '/../../etc/passwd',
  '/;',
  '/_sidemint',
  '/_sidemint/%zz',
  '/_sidemint/health/x',
  '/oauth2/v2/certs',
  `/${'a/'.repeat(5_000)}`,
  `/computeMetadata/v1/${'instance/'.repeat(1_000)}`,
  `/computeMetadata/v1/instance/service-accounts/${'a'.repeat(8_000)}/token`,
]
for (const path of PATHS) {
  test(`${path.slice(0, 90)} is Google's 404 page`, async (t) => {
    const reply = await ask(server.url, path)
    isCleanRefusal(t, reply, 404)
    t.is(reply.headers['content-type'], 'text/html; charset=UTF-8')
    t.true(reply.body.includes(`<code>${path}</code>`))
  })
}

test('markup in a path or a query is shown, not run', async (t) => {
  const reply = parseReply(await sendRaw(server.url, head(`/<script>alert(1)</script>?a="b"&c='d'`)))
  isCleanRefusal(t, reply, 404)
  t.true(reply.body.includes('<code>/&lt;script&gt;alert(1)&lt;/script&gt;?a=&quot;b&quot;&amp;c=&#39;d&#39;</code>'))
  t.false(reply.body.includes('<script>'))
})

test('an audience that is refused cannot carry markup or line ends into the body', async (t) => {
  await using strict = await startSidemint({ allowAudience: ['https://only.example'] })
  for (const [, audience] of AUDIENCES) {
    const reply = await ask(strict.url, `${DEFAULT_ACCOUNT}/identity?audience=${encodeURIComponent(audience)}`)
    isCleanRefusal(t, reply, 400)
    t.true(Buffer.byteLength(reply.body) <= 1_000)
    t.false(/[<>&]/.test(reply.body))
    const { error, error_description } = JSON.parse(reply.body)
    t.is(error, 'AUDIENCE_NOT_ALLOWED')
    t.regex(
      error_description,
      /Fix: .*--allow-audience lists \(https:\/\/only\.example\)/,
      'the fix is there at any length',
    )
  }
})

test('a header that is too large is a 431 in one line', async (t) => {
  const reply = parseReply(await sendRaw(server.url, head('/', `X-Bomb: ${'a'.repeat(100_000)}`)))
  isCleanRefusal(t, reply, 431)
})

test('a URL that is too large is a 431 in one line', async (t) => {
  isCleanRefusal(t, parseReply(await sendRaw(server.url, head(`/${'a'.repeat(100_000)}`))), 431)
})

test('headers without number are a 431', async (t) => {
  const reply = parseReply(
    await sendRaw(server.url, head('/', ...Array.from({ length: 20_000 }, (_, n) => `X-${n}: y`))),
  )
  isCleanRefusal(t, reply, 431)
})

test('no number of headers hides X-Forwarded-For, a Host or a missing flavor', async (t) => {
  const many = Array.from({ length: 3_000 }, () => 'a: b')
  const target = `${V1}/project/project-id`
  t.is(parseReply(await sendRaw(server.url, head(target, ...many))).status, 200)
  isCleanRefusal(t, parseReply(await sendRaw(server.url, head(target, ...many, 'X-Forwarded-For: 10.0.0.1'))), 403)
  const late = ['GET / HTTP/1.1', ...many, 'Host: evil.example', 'Connection: close', '', ''].join('\r\n')
  isCleanRefusal(t, parseReply(await sendRaw(server.url, late)), 403)
})

test('a body is not read, and neither a wrong one hurts', async (t) => {
  for (const more of [
    ['Content-Length: 5', '', 'hello'],
    ['Content-Length: 1000000', '', 'hello'],
    ['Transfer-Encoding: chunked', '', 'zz', ''],
  ]) {
    const bytes = `${head('/').slice(0, -4)}\r\n${more.join('\r\n')}\r\n`
    const received = await sendRaw(server.url, bytes, 'computeMetadata/\n')
    t.is(parseReply(received).status, 200)
    t.false(received.includes(' 500 '))
  }
})

test('requests cut off at any byte leave the server serving', async (t) => {
  const bytes = head(`${DEFAULT_ACCOUNT}/identity?audience=https://cut.example`)
  const cut = Array.from({ length: bytes.length }, (_, length) => length)
  await Promise.all(
    cut.map(async (length) => {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.write(bytes.slice(0, length))
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (length % 2 === 0) socket.destroy()
      else socket.resetAndDestroy()
    }),
  )
  t.is((await ask(server.url, '/')).status, 200)
})

test('several requests in one packet are each answered, in order', async (t) => {
  const keep = head('/').replace('Connection: close\r\n', '')
  const received = await sendRaw(
    server.url,
    keep + keep.replace('GET / ', 'GET /no ') + head(`${V1}/project/project-id`),
  )
  t.deepEqual(
    [...received.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status),
    ['200', '404', '200'],
  )
})

test('a second request that cannot be read does not spoil the answer to the first', async (t) => {
  const keep = head(`${DEFAULT_ACCOUNT}/identity?audience=https://pipeline.example`).replace(
    'Connection: close\r\n',
    '',
  )
  const received = await sendRaw(server.url, `${keep}nonsense\r\n\r\n`)
  const statuses = [...received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
  t.false(received.includes(' 500 '))
  t.true(
    statuses.every((status) => status === '200' || status === '400'),
    statuses.join(),
  )
})

test('a client that was refused and goes on sending is cut off within seconds', async (t) => {
  const port = Number(new URL(server.url).port)
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {}).resume()
  await once(socket, 'connect')
  socket.write('nonsense\r\n\r\n')
  const sending = setInterval(() => socket.write('more'), 20)
  const outcome = await Promise.race([
    new Promise((resolve) => socket.once('close', () => resolve('cut off'))),
    new Promise((resolve) => setTimeout(resolve, 10_000, 'still open')),
  ])
  clearInterval(sending)
  socket.destroy()
  t.is(outcome, 'cut off')
})

test('a connection that was refused does not hold up closing', async (t) => {
  const own = await startSidemint()
  for (const bytes of ['nonsense\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', '', 'GET / HTTP/1.1\r\n']) {
    const socket = connect({ port: Number(new URL(own.url).port), host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write(bytes)
  }
  await new Promise((resolve) => setTimeout(resolve, 50))
  const startedAt = performance.now()
  await own.close()
  t.true(performance.now() - startedAt < 3_000, 'well within any keep-alive')
})
