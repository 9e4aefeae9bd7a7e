import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { mock } from 'node:test'
import test from 'ava'
import { GoogleAuth } from 'google-auth-library'
import { errors, jwtVerify } from 'jose'
import { SidemintError } from '../src/core/errors.ts'
import { readClaims } from '../src/core/token.ts'
import { type FailNextOptions, type IssueTokenOptions, type StartOptions, startSidemint } from '../src/index.ts'
import { createClock, MINUTE } from './clock.ts'
import { rsaKeyFile } from './google/keys.ts'
import { ask, DEFAULT_ACCOUNT, remoteKeys, V1 } from './http-client.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
const keyFile = rsaKeyFile()
/** With a key that is there already: making one costs more than most of these tests. */
const start = (options: StartOptions = {}) => startSidemint({ keyFile, ...options })
const identity = (url: string, audience = 'https://a.example') =>
  ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${audience}`)

test('without options a server listens on a free port of loopback and signs for the default account', async (t) => {
  await using metadata = await startSidemint()
  t.regex(metadata.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.is(metadata.issuer, metadata.url)
  t.is(metadata.jwksUri, `${metadata.url}/oauth2/v3/certs`)
  const { body } = await ask(metadata.url, `${DEFAULT_ACCOUNT}/email`)
  t.is(body, 'default@sidemint-local.iam.gserviceaccount.com')
})

test('several servers at once have their own port, key, account and requests', async (t) => {
  const servers = await Promise.all(['a', 'b', 'c'].map((project) => startSidemint({ project })))
  const tokens = await Promise.all(servers.map(async ({ url }) => (await identity(url)).body))
  for (const [index, server] of servers.entries()) {
    const keys = remoteKeys(server.jwksUri)
    await t.notThrowsAsync(jwtVerify(tokens[index] ?? '', keys, { issuer: server.issuer }))
    await t.throwsAsync(jwtVerify(tokens[(index + 1) % 3] ?? '', keys), { instanceOf: errors.JWKSNoMatchingKey })
    t.is(server.requests.length, 1)
  }
  await Promise.all(servers.map((server) => server.close()))
})

test('options that are not an object are an error that says so', async (t) => {
  for (const options of ['local', null, ['a']]) {
    await t.throwsAsync(startSidemint(options as unknown as StartOptions), {
      code: 'SETTINGS_INVALID',
      message: 'the options must be an object of settings',
    })
  }
})

test('after close nothing listens, open connections end, and closing again is the same', async (t) => {
  const metadata = await start()
  const port = Number(new URL(metadata.url).port)
  const idle = connect(port, '127.0.0.1')
  await once(idle, 'connect')
  const ended = once(idle.resume(), 'close')
  await Promise.all([metadata.close(), metadata.close()])
  await metadata[Symbol.asyncDispose]()
  await ended
  await t.throwsAsync(identity(metadata.url), { code: 'ECONNREFUSED' })
  t.false(existsSync(metadata.env.CLOUDSDK_CONFIG ?? ''))
})

test.serial('close ends under fake timers too, and with a request that was sent in half', async (t) => {
  const metadata = await start()
  const half = connect(Number(new URL(metadata.url).port), '127.0.0.1')
  half.on('error', () => {})
  await once(half, 'connect')
  half.write('GET / HTTP/1.1\r\nHost: a\r\n')
  t.is((await ask(metadata.url, '/')).status, 200)
  const { setTimeout: after } = globalThis
  const giveUp = new Promise<string>((resolve) => after(resolve, 10_000, 'it hangs').unref())
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate'] })
  t.is(await Promise.race([metadata.close().then(() => 'closed'), giveUp]).finally(() => mock.timers.reset()), 'closed')
})

test('await using closes the server also where the test throws', async (t) => {
  let url = ''
  const failing = async () => {
    await using metadata = await start()
    url = metadata.url
    throw new Error('the test failed')
  }
  await t.throwsAsync(failing(), { message: 'the test failed' })
  await t.throwsAsync(identity(url), { code: 'ECONNREFUSED' })
})

test('a process ends by itself after a server that found no directory, and after one that was used and closed', async (t) => {
  const program = `
    import ${JSON.stringify(import.meta.resolve('./kept-keys.ts'))}
    import { startSidemint } from ${JSON.stringify(import.meta.resolve('../src/index.ts'))}
    import { env } from 'node:process'
    const keyFile = ${JSON.stringify(keyFile)}
    await startSidemint({ keyFile }).catch(({ code }) => console.log(code))
    delete env.TMPDIR
    const metadata = await startSidemint({ keyFile })
    const url = metadata.url + '${DEFAULT_ACCOUNT}/identity?audience=a'
    for (const time of [1, 2]) await (await fetch(url, { headers: { 'Metadata-Flavor': 'Google' } })).text()
    await fetch(metadata.url + '/oauth2/v3/certs').then((response) => response.text())
    await metadata.close()
    console.log('closed')`
  const env = { ...process.env, TMPDIR: '/dev/null/none' }
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { env, stdio: 'pipe' })
  const timer = setTimeout(() => child.kill('SIGKILL'), 45_000)
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text))
  const ended = await once(child, 'close')
  clearTimeout(timer)
  t.is(out, 'DIRECTORY_UNUSABLE\nclosed\n')
  t.deepEqual(ended, [0, null])
})

test('requests tell what was asked, by whom, for whom and how it went', async (t) => {
  const clock = createClock()
  await using metadata = await start({ serviceAccount: EMAIL, now: clock.now, allowAudience: ['https://*'] })
  await identity(metadata.url)
  clock.advance(MINUTE)
  await identity(metadata.url)
  await ask(metadata.url, `${DEFAULT_ACCOUNT}/token?scopes=b:1,a:1`)
  await identity(metadata.url, 'refused')
  await ask(metadata.url, `${V1}/project/project-id`)
  const common = { identity: EMAIL, caller: '127.0.0.1' }
  const at = clock.now()
  t.deepEqual(metadata.requests, [
    { at: at - MINUTE, kind: 'id', audience: 'https://a.example', scopes: [], ...common, result: 'mint', status: 200 },
    { at, kind: 'id', audience: 'https://a.example', scopes: [], ...common, result: 'hit', status: 200 },
    { at, kind: 'access', audience: '', scopes: ['a:1', 'b:1'], ...common, result: 'mint', status: 200 },
    { at, kind: 'id', audience: 'refused', scopes: [], ...common, result: 'error', status: 400 },
  ])
})

test('failNext answers the next requests over HTTP, hits too, and nothing of it is remembered', async (t) => {
  await using metadata = await start({ serviceAccount: EMAIL })
  await identity(metadata.url)
  metadata.failNext({ status: 503, times: 2 })
  for (const left of [1, 0]) {
    const { status, headers, body } = await identity(metadata.url)
    t.is(status, 503)
    t.is(headers['content-type'], 'text/html')
    t.is(headers['metadata-flavor'], 'Google')
    const { error, error_description } = JSON.parse(body)
    t.is(error, 'INJECTED')
    t.regex(error_description, new RegExp(`${left} more to come.*Fix: `))
  }
  t.is((await identity(metadata.url)).status, 200)
  metadata.failNext()
  t.is((await ask(metadata.url, `${DEFAULT_ACCOUNT}/token`)).status, 503)
  t.is((await ask(metadata.url, `${DEFAULT_ACCOUNT}/token`)).status, 200, 'at once, for a new key too')
  for (const status of [400, 403, 404, 429, 500]) {
    metadata.failNext({ status })
    t.is((await identity(metadata.url)).status, status)
  }
  metadata.failNext()
  t.is((await ask(metadata.url, `${DEFAULT_ACCOUNT}/email`)).status, 200, 'only token requests take one')
  t.is((await identity(metadata.url)).status, 503)
  t.deepEqual(
    metadata.requests.slice(0, 4).map(({ result, status }) => [result, status]),
    [
      ['mint', 200],
      ['error', 503],
      ['error', 503],
      ['hit', 200],
    ],
  )
})

test('an order that cannot be used is an error with a code, which names what is wrong, and changes nothing', async (t) => {
  await using metadata = await start()
  const failNext: [order: unknown, said: RegExp][] = [
    [{ stauts: 500 }, /failNext .*: stauts unknown key \(did you mean status\?\)$/],
    [{ times: -1 }, /times must be a whole number from 0 to 1000000$/],
    [{ times: 1.5 }, /times must be a whole number/],
    [{ times: Number.NaN }, /times must be a whole number/],
    [{ status: 200 }, /status must be a whole number from 400 to 599$/],
    [{ status: '503', drop: 1 }, /status must be a whole number .*; drop must be true or false$/],
    [{ delayMs: 60_001 }, /delayMs must be/],
    [null, /must be an object/],
    [[], /must be an object/],
  ]
  for (const [order, said] of failNext) {
    const error = t.throws(() => metadata.failNext(order as FailNextOptions), { instanceOf: SidemintError })
    t.like(error, { code: 'ORDER_INVALID' })
    t.regex(error?.message ?? '', said)
  }
  const issue: [order: unknown, said: RegExp][] = [
    [{}, /issueToken .*must have an audience or a user, and not both$/],
    [undefined, /must have an audience or a user, and not both$/],
    [{ audience: 'a', expiresIn: 60 }, /expiresIn unknown key/],
    [{ audience: 'a', serviceAccount: 'nobody' }, /serviceAccount must be an email/],
    [{ audience: 'a', user: 'ann@acme.example' }, /must have an audience or a user/],
    [{ audience: 'a', claims: [] }, /claims must be an object of claims/],
    [{ audience: 'a', expiresInSeconds: '60' }, /expiresInSeconds must be a whole number/],
  ]
  for (const [order, said] of issue) {
    const error = await t.throwsAsync(metadata.issueToken(order as IssueTokenOptions), { instanceOf: SidemintError })
    t.like(error, { code: 'ORDER_INVALID' })
    t.regex(error?.message ?? '', said)
  }
  metadata.failNext({ times: 0 })
  t.is((await identity(metadata.url)).status, 200)
})

test('after the clock was set back no token begins in the future', async (t) => {
  const clock = createClock()
  await using metadata = await start({ serviceAccount: EMAIL, now: clock.now })
  await identity(metadata.url)
  clock.advance(-10_000)
  const { iat, exp } = readClaims((await identity(metadata.url)).body) ?? {}
  t.deepEqual([iat, exp], [clock.now() / 1_000, clock.now() / 1_000 + 3_600])
})

test('issueToken signs what is asked: any claims, any account, expired', async (t) => {
  const clock = createClock()
  await using metadata = await start({ serviceAccount: EMAIL, now: clock.now })
  const nowSeconds = clock.now() / 1_000
  const plain = readClaims(await metadata.issueToken({ audience: 'https://a.example' }))
  t.like(plain, {
    aud: 'https://a.example',
    email: EMAIL,
    email_verified: true,
    iss: metadata.url,
    exp: nowSeconds + 3_600,
    iat: nowSeconds,
  })

  const expired = await metadata.issueToken({ audience: 'a', expiresInSeconds: -600 })
  t.like(readClaims(expired), { exp: nowSeconds - 600, iat: nowSeconds - 600 - 3_600 })
  const keys = remoteKeys(metadata.jwksUri)
  await t.throwsAsync(jwtVerify(expired, keys, { currentDate: new Date(clock.now()) }), {
    instanceOf: errors.JWTExpired,
  })

  t.like(readClaims(await metadata.issueToken({ audience: 'a', expiresInSeconds: 60 })), {
    exp: nowSeconds + 60,
    iat: nowSeconds,
  })

  const claims = {
    email_verified: false,
    email: undefined,
    iss: 'https://evil.example',
    aud: ['a', 'b'],
    extra: { x: 1 },
  }
  const odd = readClaims(await metadata.issueToken({ audience: 'a', claims }))
  t.like(odd, { email_verified: false, iss: 'https://evil.example', aud: ['a', 'b'], extra: { x: 1 } })
  t.false('email' in (odd ?? {}))

  const other = readClaims(await metadata.issueToken({ audience: 'a', serviceAccount: 'other@x.example' }))
  t.is(other?.email, 'other@x.example')
  t.not(other?.sub, plain?.sub)
  t.deepEqual(metadata.requests, [], 'nobody asked for these')
})

test('the clock is the one that is passed in', async (t) => {
  const clock = createClock(Date.UTC(2040, 0, 1))
  await using metadata = await start({ now: clock.now })
  const first = (await identity(metadata.url)).body
  t.is(readClaims(first)?.iat, Date.UTC(2040, 0, 1) / 1_000)
  clock.advance(5 * MINUTE + 1)
  t.not((await identity(metadata.url)).body, first)
})

test('wrong options are one error with a code that names each of them', async (t) => {
  const identities = [{ serviceAccount: 'a@b.example', caller: ['web'] }]
  const options = { prot: 1, port: 'x', serviceAccount: 'nobody', metadata: { 'a/b': 1 }, identities, now: 5 } as object
  const error = await t.throwsAsync(startSidemint(options), { instanceOf: SidemintError })
  t.is((error as SidemintError).code, 'SETTINGS_INVALID')
  for (const name of ['prot', 'port', 'serviceAccount', 'metadata', 'identities[0].caller', 'now: must be a function'])
    t.true(error?.message.includes(name), error?.message)
})

test('an option of undefined is not given', async (t) => {
  const options: object = { project: undefined, port: undefined, source: undefined, now: undefined }
  await using metadata = await start(options)
  t.regex(metadata.url, /:\d+$/)
  t.not(metadata.url, 'http://127.0.0.1:16925')
})

test('a port that is taken is an error with a code', async (t) => {
  await using metadata = await start()
  const port = Number(new URL(metadata.url).port)
  const error = await t.throwsAsync(start({ port }), { instanceOf: SidemintError })
  t.is((error as SidemintError).code, 'PORT_TAKEN')
  t.true(error?.message.includes(`127.0.0.1:${port}`))
})

test('a server on an IPv6 address or on all is reached where its url says', async (t) => {
  for (const [host, url] of [
    ['0.0.0.0', /^http:\/\/127\.0\.0\.1:\d+$/],
    ['::1', /^http:\/\/\[::1\]:\d+$/],
    ['::', /^http:\/\/\[::1\]:\d+$/],
  ] as const) {
    await using metadata = await start({ host })
    t.regex(metadata.url, url)
    t.is((await identity(metadata.url)).status, 200)
    const { caller = '' } = metadata.requests[0] ?? {}
    t.true(caller === '127.0.0.1' || caller === '::1', caller)
  }
})

const POINTED = ['GCE_METADATA_HOST', 'GCE_METADATA_IP', 'GCE_METADATA_ROOT']

test.serial('applyEnv points this process at the server, and close puts everything back as it was', async (t) => {
  process.env.GCE_METADATA_HOST = 'before'
  process.env.GOOGLE_APPLICATION_CREDENTIALS = '/login.json'
  process.env.NO_PROXY = 'corp.example'
  Reflect.deleteProperty(process.env, 'no_proxy')
  const before = { ...process.env }
  const metadata = await start()
  t.deepEqual({ ...process.env }, before, 'starting alone changes nothing')
  metadata.applyEnv()
  metadata.applyEnv()
  const host = new URL(metadata.url).host
  for (const name of POINTED) t.is(process.env[name], host)
  t.is(process.env.SIDEMINT_SERVER, metadata.url)
  t.is(process.env.METADATA_SERVER_DETECTION, 'assume-present')
  t.false('GOOGLE_APPLICATION_CREDENTIALS' in process.env)
  t.is(process.env.NO_PROXY, 'corp.example,127.0.0.1,metadata.google.internal,169.254.169.254')
  t.is(process.env.no_proxy, 'corp.example,127.0.0.1,metadata.google.internal,169.254.169.254')
  t.true(existsSync(process.env.CLOUDSDK_CONFIG ?? ''))
  await metadata.close()
  t.deepEqual({ ...process.env }, before)
})

test.serial('applyEnv after close changes nothing: there is no server to point at', async (t) => {
  const before = { ...process.env }
  const metadata = await start()
  const closing = metadata.close()
  metadata.applyEnv()
  await closing
  metadata.applyEnv()
  t.deepEqual({ ...process.env }, before)
})

test.serial('a NO_PROXY that turns every proxy off still does', async (t) => {
  process.env.NO_PROXY = '*'
  await using metadata = await start()
  t.is(metadata.env.NO_PROXY, '*')
  delete process.env.NO_PROXY
})

test.serial('servers that are used one inside the other restore what each of them found', async (t) => {
  const before = { ...process.env }
  const outer = await start()
  outer.applyEnv()
  const inner = await start()
  inner.applyEnv()
  t.is(process.env.GCE_METADATA_HOST, new URL(inner.url).host)
  await inner.close()
  t.is(process.env.GCE_METADATA_HOST, new URL(outer.url).host)
  await outer.close()
  t.deepEqual({ ...process.env }, before)
})

test.serial("Google's own client gets its ID token from the server", async (t) => {
  await using metadata = await start({ serviceAccount: EMAIL })
  metadata.applyEnv()
  // Without a project it runs gcloud to find one.
  const client = await new GoogleAuth({ projectId: 'acme-dev' }).getIdTokenClient('https://billing.example')
  const headers = await client.getRequestHeaders()
  const token = String(headers.get('authorization')).replace('Bearer ', '')
  const { payload } = await jwtVerify(token, remoteKeys(metadata.jwksUri), {
    audience: 'https://billing.example',
  })
  t.is(payload.iss, metadata.issuer)
  t.is(metadata.requests.at(-1)?.audience, 'https://billing.example')
})
