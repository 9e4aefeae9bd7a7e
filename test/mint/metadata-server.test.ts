import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import { SidemintError } from '../../src/core/errors.ts'
import { readClaims, type TokenRequest } from '../../src/core/token.ts'
import { createMetadataSource } from '../../src/mint/metadata-server.ts'
import { startServer } from '../../src/server.ts'
import { type FakeGoogle, startFakeGoogle } from '../google/start.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { AUDIENCE, CREATOR, FIRST, ORDERS, VM } from './google/rows.ts'

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
    host,
    delegatesOf: () => delegates,
    onDate: () => {},
    now: Date.now,
    bounds: { attemptMs: 2_000, totalMs: 4_000, retryDelaysMs: [5, 10] },
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

test('it is asked straight, also where Node.js is told to use the proxy of the variables', async (t) => {
  const script = `
    import { createMetadataSource } from ${JSON.stringify(import.meta.resolve('../../src/mint/metadata-server.ts'))}
    const options = { env: {}, host: '${google.metadata.host}', delegatesOf: () => [], onDate() {}, now: Date.now }
    const request = ${JSON.stringify(idToken())}
    const token = await createMetadataSource(options).mint(request).catch((error) => ({ served: error.message }))
    console.log(token.served)`
  const env = { ...process.env, NODE_USE_ENV_PROXY: '1', HTTP_PROXY: google.proxyUrl, NO_PROXY: '' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env })
  t.is(stdout, 'mint\n')
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

/** An HTTP server that knows nothing of metadata. */
async function startPlain(body: string) {
  const { createServer } = await import('node:http')
  const server = createServer((_, response) => response.end(body))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return { host: `127.0.0.1:${port}`, [Symbol.asyncDispose]: async () => void server.close() }
}
