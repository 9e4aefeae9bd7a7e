import { createServer, type IncomingHttpHeaders, setGlobalProxyFromEnv } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import { SidemintError } from '../../src/core/errors.ts'
import { readClaims, type TokenRequest } from '../../src/core/token.ts'
import { createMetadataSource } from '../../src/mint/metadata-server.ts'
import { startServer } from '../../src/server.ts'
import { type FakeGoogle, startFakeGoogle } from '../google/start.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { AUDIENCE, CREATOR, FIRST, ORDERS, VM } from './google/rows.ts'

const SETTINGS = settle({ options: {} })

/** No principal: the machine's own account. */
const OWN = undefined

let google: FakeGoogle

test.before(async () => {
  google = await startFakeGoogle()
  google.trust()
})

test.after.always(() => google.close())

function source(host = google.metadata.host, delegates: readonly string[] = []) {
  return createMetadataSource({
    env: google.env,
    settings: SETTINGS,
    host,
    delegatesOf: () => delegates,
    onDate: () => {},
    now: Date.now,
    bounds: { attemptMs: 20_000, totalMs: 40_000, retryDelaysMs: [5, 10] },
  })
}

const idToken = (principal: string | undefined = OWN, audience = AUDIENCE): TokenRequest => ({
  kind: 'id',
  principal,
  audience,
  format: 'full',
})
const accessToken = (principal: string | undefined = OWN): TokenRequest => ({ kind: 'access', principal, scopes: [] })

/** On a busy machine the server may take longer than the start waits for it. */
async function emailOf(machine: ReturnType<typeof source>): Promise<string> {
  return (await machine.email()) ?? emailOf(machine)
}

test("the machine's own account mints, named by its email or not, for any audience", async (t) => {
  const machine = source()
  t.is(await emailOf(machine), VM)
  for (const principal of [OWN, VM]) {
    const { value, expiresAtMs } = await machine.mint(idToken(principal, 'https://x/?a=1&b=2#f'))
    t.like(readClaims(value), { aud: 'https://x/?a=1&b=2#f', email: VM })
    t.true(Math.abs(expiresAtMs - Date.now() - 3_600_000) < 5_000)
  }
  t.regex((await machine.mint(accessToken())).value, /^ya29\./)
})

test('another account is impersonated with the token of the machine, through its delegates', async (t) => {
  google.grant(VM, CREATOR, FIRST)
  google.grant(FIRST, CREATOR, ORDERS)
  const machine = source(undefined, [FIRST])
  t.like(readClaims((await machine.mint(idToken(ORDERS))).value), { email: ORDERS, aud: AUDIENCE })
  t.regex((await machine.mint(accessToken(ORDERS))).value, /^ya29\./)
  t.like(
    google.calls.find(({ grant, path }) => grant === 'generateIdToken' && path.includes(ORDERS)),
    { principal: VM, delegates: [FIRST] },
  )
})

test('a denial names the account of the machine', async (t) => {
  google.serviceAccount('closed@acme-dev.iam.gserviceaccount.com')
  const machine = source()
  await emailOf(machine)
  const error = await t.throwsAsync(machine.mint(idToken('closed@acme-dev.iam.gserviceaccount.com')))
  t.like(error, { code: 'IMPERSONATION_DENIED' })
  t.true(error?.message.startsWith(`${VM} may not mint as closed@`))
})

test('what answers without the flavor is no metadata server', async (t) => {
  await using plain = await startPlain('token')
  const error = await t.throwsAsync(source(plain.host).mint(accessToken()), { instanceOf: SidemintError })
  t.like(error, { code: 'UPSTREAM_GARBAGE', status: 503 })
})

test.serial('it is asked straight, also where Node.js is told to use the proxy of the variables', async (t) => {
  const undo = setGlobalProxyFromEnv({ HTTP_PROXY: google.proxyUrl, NO_PROXY: '' })
  t.teardown(undo)
  t.is((await source().mint(idToken())).served, 'mint')
  t.deepEqual(google.strangers, [])
})

test('a server that is not there is told by its name, and does not delay the start for long', async (t) => {
  const machine = source('127.0.0.1:1')
  t.is(await machine.email(), undefined)
  const error = await t.throwsAsync(machine.mint(idToken()), { instanceOf: SidemintError })
  t.like(error, { code: 'NETWORK_DOWN', status: 503 })
  t.regex(error?.message ?? '', /^127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED/)
})

test('a sidemint that points at another sidemint is told so', async (t) => {
  await using inner = await serve('local')
  await using outer = await serve(`metadata=${new URL(inner.url).host}`)
  const { status, body } = await ask(outer.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)
  t.is(status, 403)
  t.is(JSON.parse(body).error, 'SELF_LOOP')
})

async function serve(name: string) {
  const server = await startServer({ settings: settle({ options: { port: 0, source: name } }), env: {} })
  return { ...server, [Symbol.asyncDispose]: () => server.close() }
}

interface Told {
  status?: number
  headers?: Record<string, string>
  body?: string
}

const GOOGLES = { 'Metadata-Flavor': 'Google' }

/** A metadata server that says what a test tells it to, and what it was asked. */
async function startMachine(told: (key: string) => Told) {
  const asked: { key: string; headers: IncomingHttpHeaders }[] = []
  const server = createServer(({ url = '', headers }, response) => {
    const key = url.replace('/computeMetadata/v1/instance/service-accounts/default/', '')
    asked.push({ key, headers })
    const { status = 200, headers: sent = GOOGLES, body = '' } = told(key)
    response.sendDate = false
    response.writeHead(status, sent).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const dates: number[] = []
  const host = `127.0.0.1:${port}`
  return {
    host,
    asked,
    dates,
    source: createMetadataSource({
      env: {},
      settings: SETTINGS,
      host,
      delegatesOf: () => [],
      onDate: (ms) => dates.push(ms),
      now: () => NOW_MS,
      bounds: { attemptMs: 20_000, totalMs: 40_000, retryDelaysMs: [] },
    }),
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}

const NOW_MS = 1_767_225_600_000
const tokenOf = (seconds: number) => JSON.stringify({ access_token: 'ya29.a', expires_in: seconds })
const idTokenOf = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`

test('a machine is asked for what is wanted, with the flavor and our mark, and its account once', async (t) => {
  await using machine = await startMachine((key) => ({
    body: key === 'email' ? ` ${VM}\n` : key.startsWith('token') ? tokenOf(1) : idTokenOf({ exp: 1 }),
  }))
  const { source } = machine
  t.is(await emailOf(source), VM)
  const known = machine.asked.length
  t.is(await source.email(), VM)
  await source.mint(accessToken(VM))
  await source.mint({ kind: 'access', principal: OWN, scopes: ['a:1', 'b:2'] })
  await source.mint(idToken(OWN, 'https://x/?a=1'))
  t.deepEqual(
    machine.asked.slice(known - 1).map(({ key }) => key),
    ['email', 'token', 'token?scopes=a%3A1%2Cb%3A2', 'identity?audience=https%3A%2F%2Fx%2F%3Fa%3D1&format=full'],
  )
  for (const { headers } of machine.asked) {
    t.like(headers, { 'metadata-flavor': 'Google', 'x-sidemint-source': '1', connection: 'close' })
  }
})

test('what is left of an access token counts from now, and of an ID token by the clock of the machine', async (t) => {
  const date = 'Thu, 01 Jan 2026 00:10:00 GMT'
  const dateMs = Date.parse(date)
  const headers: Record<string, string> = { ...GOOGLES, Date: date }
  await using machine = await startMachine((key) => ({
    headers,
    body: key === 'token' ? tokenOf(100) : idTokenOf({ exp: dateMs / 1000 + 60 }),
  }))
  const { source, dates } = machine
  t.is((await source.mint(accessToken())).expiresAtMs, NOW_MS + 100_000)
  t.is((await source.mint(idToken())).expiresAtMs, NOW_MS + 60_000)
  t.deepEqual(dates, [dateMs, dateMs])
  delete headers.Date
  t.is((await source.mint(idToken())).expiresAtMs, dateMs + 60_000, 'by our own where it does not say')
  t.is(dates.length, 2)
})

for (const [title, told] of [
  ['an access token that is not text', { body: '{"access_token":1,"expires_in":1}' }],
  ['an access token without an end', { body: '{"access_token":"ya29.a"}' }],
  ['no JSON', { body: 'ya29.a' }],
  ['an ID token without an end', { body: idTokenOf({}) }],
  ['another flavor', { headers: { 'Metadata-Flavor': 'Other' }, body: tokenOf(1) }],
  ['more than a million characters', { body: `${tokenOf(1)}${' '.repeat(1_000_001 - tokenOf(1).length)}` }],
] as const) {
  test(`a machine that answers with ${title} is told as garbage`, async (t) => {
    await using machine = await startMachine(() => told)
    const request = title.includes('ID') ? idToken() : accessToken()
    await t.throwsAsync(machine.source.mint(request), { code: 'UPSTREAM_GARBAGE' })
  })
}

test('an answer of a million characters is read', async (t) => {
  await using machine = await startMachine(() => ({ body: tokenOf(1).padEnd(1_000_000) }))
  t.is((await machine.source.mint(accessToken())).value, 'ya29.a')
})

test('a machine without an account says so', async (t) => {
  await using machine = await startMachine(() => ({ status: 404 }))
  await t.throwsAsync(machine.source.mint(accessToken()), {
    code: 'ACCOUNT_NOT_FOUND',
    message: `there is no service account of its own on the machine of ${machine.host}`,
  })
})

test('what a machine refuses is told, whether its account is known or not', async (t) => {
  const error = { message: 'No.', details: [{ reason: 'IAM_PERMISSION_DENIED' }] }
  await using machine = await startMachine((key) =>
    key === 'email' ? { body: VM } : { status: 403, body: JSON.stringify({ error }) },
  )
  for (const [name, member] of [
    ["the machine's account", 'serviceAccount:EMAIL'],
    [VM, `serviceAccount:${VM}`],
  ]) {
    const denied = (await t.throwsAsync(machine.source.mint(accessToken()))) as SidemintError
    t.is(denied.code, 'IMPERSONATION_DENIED')
    t.true(denied.message.startsWith(`${name} may not mint as `), denied.message)
    t.true(denied.fix.includes(`--member=${member} `), denied.fix)
    await machine.source.email()
  }
})

test('a redirect of a machine is not followed', async (t) => {
  const headers: Record<string, string> = { ...GOOGLES, Location: 'https://login.corp.example/a' }
  await using machine = await startMachine(() => ({ status: 302, headers }))
  const refused = (message: RegExp) =>
    t.throwsAsync(machine.source.mint(accessToken()), { code: 'REDIRECT_REFUSED', message })
  await refused(/login\.corp\.example/)
  delete headers.Location
  await refused(/an address that is not a URL/)
})

test.serial('the account of a machine is waited for no longer than a second', async (t) => {
  await using machine = await startMachine(() => ({ body: VM }))
  const { timeout } = AbortSignal
  const given: number[] = []
  AbortSignal.timeout = (ms) => {
    given.push(ms)
    return timeout.call(AbortSignal, ms)
  }
  const asking = machine.source.email()
  AbortSignal.timeout = timeout
  await asking
  t.is(given[0], 1_000)
})

test('the token with which a machine impersonates is fetched once', async (t) => {
  const account = 'often@acme-dev.iam.gserviceaccount.com'
  google.grant(VM, CREATOR, account)
  const machine = source()
  await machine.mint(accessToken(account))
  const fetched = google.count({ path: '/default/token' })
  await machine.mint(idToken(account))
  t.is(google.count({ path: '/default/token' }), fetched)
})

/** An HTTP server that knows nothing of metadata. */
async function startPlain(body: string) {
  const { createServer } = await import('node:http')
  const server = createServer((_, response) => response.end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return { host: `127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => void server.close() }
}
