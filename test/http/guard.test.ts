/** Who is answered and who is not: docs/wire.md, "Addresses and Host", docs/wire.md, "Required header", docs/wire.md, "X-Forwarded-For" and docs/wire.md, "Methods". */

import test from 'ava'
import { type Sidemint, startSidemint } from '../../src/index.ts'
import { ask, DEFAULT_ACCOUNT, FLAVOR, parseReply, sendRaw, V1 } from '../http-client.ts'

let server: Sidemint
test.before(async () => {
  server = await startSidemint({ allowHost: ['mds.corp.example', '*.Dev.Example', 'exact'] })
})
test.after.always(() => server.close())

const PROJECT = `${V1}/project/project-id`

const KNOWN = [
  'metadata.google.internal',
  'metadata.google.internal.',
  'METADATA.Google.Internal',
  'metadata.google.internal:80',
  'metadata.google.internal.:8080',
  'metadata',
  'metadata.',
  'metadata.goog',
  'localhost',
  'localhost:16925',
  'mds:80',
  'my_service-1:8080',
  'host.docker.internal:16925',
  'jobs.metadata.internal',
  '127.0.0.1',
  '127.0.0.1:1',
  '169.254.169.254',
  '169.254.169.254:80',
  '[::1]',
  '[::1]:8080',
  '[fd20:ce::254]',
  '[FD20:CE::254]:80',
  '[::ffff:127.0.0.1]:80',
  'sidemint.tools.svc',
  'sidemint.tools.svc:80',
  'sidemint.tools.svc.cluster.local',
  'sidemint.tools.svc.cluster.local.:80',
  'mds.corp.example',
  'MDS.corp.example.:8080',
  'a.dev.example',
  'a.b.dev.example:80',
]
for (const host of KNOWN) {
  test(`the Host ${host} is answered`, async (t) => {
    t.is((await ask(server.url, PROJECT, { headers: { ...FLAVOR, Host: host } })).status, 200)
    t.is((await ask(server.url, '/', { headers: { Host: host } })).status, 200)
  })
}

const FOREIGN = [
  'evil.example',
  'evil.example:80',
  'metadata.google.internal.evil.example',
  'internal.example',
  'notinternal.example',
  '127.0.0.1.evil.example',
  '127.0.0.1.nip.io',
  'metadata.goog.evil.example',
  'xmetadata.goog.',
  'a.metadata.goog',
  'svc.cluster.local.example',
  'mds.corp.example.evil.example',
  'xmds.corp.example',
  'dev.example',
  'a.dev.example.evil.example',
  'user@127.0.0.1',
  '127.0.0.1:80:80',
  '127.0.0.1:port',
  '[::1',
  '::1]',
  '.internal',
  '.',
  ':80',
  'a..internal',
  'a b',
]
for (const host of FOREIGN) {
  test(`the Host "${host}" is refused with Google's 403 page, before anything else`, async (t) => {
    for (const target of ['/', PROJECT, '/_sidemint/health', '/oauth2/v3/certs', '/no/such/path']) {
      const reply = parseReply(
        await sendRaw(server.url, `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
      )
      t.is(reply.status, 403)
      t.is(reply.headers['content-type'], 'text/html; charset=UTF-8')
      t.is(reply.headers['metadata-flavor'], 'Google')
      t.regex(reply.body, /Your client does not have permission to get URL <code>/)
    }
  })
}

for (const [name, head] of [
  ['an HTTP/1.0 request without a Host', `GET ${PROJECT} HTTP/1.0\r\nMetadata-Flavor: Google\r\n\r\n`],
  [
    'an HTTP/1.1 request without a Host',
    `GET ${PROJECT} HTTP/1.1\r\nMetadata-Flavor: Google\r\nConnection: close\r\n\r\n`,
  ],
  ['an empty Host', `GET ${PROJECT} HTTP/1.1\r\nHost:\r\nMetadata-Flavor: Google\r\nConnection: close\r\n\r\n`],
  [
    'an absolute target without a Host',
    `GET http://${PROJECT} HTTP/1.1\r\nHost: metadata\r\nMetadata-Flavor: Google\r\nConnection: close\r\n\r\n`,
  ],
] as const) {
  test(`${name} is refused with the 403 page and every header of Google's`, async (t) => {
    const reply = parseReply(await sendRaw(server.url, head))
    t.is(reply.status, 403)
    t.is(reply.headers['metadata-flavor'], 'Google')
    t.is(reply.headers['content-length'], String(reply.body.length))
    t.is(reply.headers['transfer-encoding'], undefined)
    t.regex(reply.body, /Error 403 \(Forbidden\)/)
  })
}

const absolute = (target: string, host: string) =>
  sendRaw(
    server.url,
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nMetadata-Flavor: Google\r\nConnection: close\r\n\r\n`,
  ).then(parseReply)

test('an absolute target is answered by its own authority, as a proxy would send it', async (t) => {
  for (const [target, host, status] of [
    [`http://metadata.google.internal${PROJECT}`, 'metadata.google.internal', 200],
    [`HTTP://127.0.0.1:99999${PROJECT}`, 'evil.example', 200],
    [`https://metadata${PROJECT}`, 'metadata', 200],
    [`http://evil.example${PROJECT}`, 'metadata.google.internal', 403],
    [`http://user@metadata${PROJECT}`, 'metadata', 403],
    ['http://metadata', 'metadata', 200],
    ['http://metadata?x=y', 'metadata', 200],
    ['http://metadata/no/such/path', 'metadata', 404],
    ['http://127.0.0.1:99999/no/such/path', 'metadata', 404],
  ] as const) {
    t.is((await absolute(target, host)).status, status, target)
  }
  const moved = await absolute(`http://metadata:81${V1}/instance`, 'evil.example')
  t.is(moved.headers.location, `http://metadata:81${V1}/instance/`)
})

test('discovery names the keys under the authority that was checked, never under a Host beside it', async (t) => {
  const reply = await absolute('http://metadata:81/.well-known/openid-configuration', 'evil.example')
  t.is(reply.status, 200)
  t.is(JSON.parse(reply.body).jwks_uri, 'http://metadata:81/oauth2/v3/certs')
})

for (const value of ['', '10.0.0.1', '127.0.0.1, 10.0.0.1']) {
  test(`X-Forwarded-For "${value}" is refused on every path`, async (t) => {
    for (const target of ['/', PROJECT, `${DEFAULT_ACCOUNT}/token`, '/_sidemint/health']) {
      const reply = await ask(server.url, target, { headers: { ...FLAVOR, 'x-forwarded-for': value } })
      t.is(reply.status, 403)
      t.is(reply.headers['metadata-flavor'], 'Google')
      t.is(reply.headers['content-type'], 'text/html; charset=UTF-8')
    }
  })
}

for (const [name, headers, status] of [
  ['no flavor', {}, 403],
  ['a wrong flavor', { 'Metadata-Flavor': 'Something-Else' }, 403],
  ['an empty flavor', { 'Metadata-Flavor': '' }, 403],
  ['a flavor in lower case', { 'Metadata-Flavor': 'google' }, 403],
  ['a flavor twice', { 'Metadata-Flavor': 'Google, Google' }, 403],
  ['the flavor under a name in lower case', { 'metadata-flavor': 'Google' }, 200],
  ['the flavor under a name in upper case', { 'METADATA-FLAVOR': 'Google' }, 200],
  ['the old header', { 'X-Google-Metadata-Request': 'True' }, 200],
  ['the old header with a wrong value', { 'X-Google-Metadata-Request': 'no' }, 403],
] as const) {
  test(`with ${name} a metadata path is ${status}`, async (t) => {
    for (const target of [PROJECT, `${V1}/`, '/%63omputeMetadata/v1/project/project-id', `/${PROJECT}`]) {
      const reply = await ask(server.url, target, { headers })
      t.is(reply.status, status, target)
      if (status === 403) t.regex(reply.body, /from this server\. Missing Metadata-Flavor:Google header\./)
    }
  })
}

test('without the flavor nothing tells an existing path from another', async (t) => {
  for (const target of [
    '/computeMetadata',
    '/computeMetadata/',
    '/computeMetadata/v9/x',
    `${DEFAULT_ACCOUNT}/token`,
    '/computeMetadata/v1beta1/',
  ]) {
    t.is((await ask(server.url, target, { headers: {} })).status, 403, target)
  }
})

for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
  test(`${method} is 405 with Allow, on every path and without CORS headers`, async (t) => {
    for (const target of [
      '/',
      PROJECT,
      `${DEFAULT_ACCOUNT}/token`,
      '/latest/api/token',
      '/oauth2/v3/certs',
      '/_sidemint/health',
    ]) {
      const headers = { ...FLAVOR, Origin: 'http://evil.example', 'Access-Control-Request-Headers': 'metadata-flavor' }
      const reply = await ask(server.url, target, { method, headers })
      t.is(reply.status, 405)
      t.is(reply.headers.allow, 'GET, HEAD')
      t.is(reply.headers['content-type'], 'text/html; charset=UTF-8')
      t.is(reply.headers['metadata-flavor'], 'Google')
      t.true(
        reply.body.includes(
          `The request method <code>${method}</code> is inappropriate for the URL <code>${target}</code>.`,
        ),
      )
      t.false(Object.keys(reply.headers).some((name) => name.startsWith('access-control')))
    }
  })
}

test('CONNECT is 405 too, and the connection ends', async (t) => {
  const reply = parseReply(await sendRaw(server.url, 'CONNECT metadata:80 HTTP/1.1\r\nHost: metadata:80\r\n\r\n'))
  t.is(reply.status, 405)
  t.is(reply.headers['metadata-flavor'], 'Google')
})

test('what a client expects or wants to upgrade to is ignored', async (t) => {
  for (const extra of [
    'Expect: 100-continue',
    'Expect: something-else',
    'Connection: Upgrade\r\nUpgrade: websocket',
    'Connection: Upgrade\r\nUpgrade: h2c',
  ]) {
    const head = `GET ${PROJECT} HTTP/1.1\r\nHost: metadata\r\nMetadata-Flavor: Google\r\n${extra}\r\n\r\n`
    const received = (await sendRaw(server.url, head, 'sidemint-local')).replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')
    const reply = parseReply(received)
    t.is(reply.status, 200, extra)
    t.is(reply.headers['metadata-flavor'], 'Google')
  }
})

test('no answer has CORS headers', async (t) => {
  for (const target of ['/', PROJECT, '/oauth2/v3/certs']) {
    const { headers } = await ask(server.url, target, { headers: { ...FLAVOR, Origin: 'http://evil.example' } })
    t.false(Object.keys(headers).some((name) => name.startsWith('access-control')))
  }
})
