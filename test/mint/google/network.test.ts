import { execFile } from 'node:child_process'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { getCACertificates, rootCertificates, setDefaultCACertificates } from 'node:tls'
import { inspect, promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { settle } from '../../../src/config/layers.ts'
import type { SidemintError } from '../../../src/core/errors.ts'
import type { TokenRequest } from '../../../src/core/token.ts'
import { createCache } from '../../../src/mint/cache.ts'
import { explainThrown } from '../../../src/mint/google/thrown.ts'
import { createGoogleSource } from '../../../src/mint/google.ts'
import { createClock, MINUTE, SECOND } from '../../clock.ts'
import { type FakeGoogle, setEnv } from '../../google/start.ts'
import { startGranted } from './granted.ts'
import { ANN, AUDIENCE, ORDERS } from './rows.ts'

const SETTINGS = settle({ options: {} })
const REQUEST: TokenRequest = { kind: 'id', principal: ORDERS, audience: AUDIENCE, format: 'full' }
const ACCESS: TokenRequest = { kind: 'access', principal: ORDERS, scopes: [] }

let google: FakeGoogle

test.before(async () => {
  google = await startGranted()
})

test.after.always(() => google.close())

interface Options {
  /** The way to Google; default through its proxy. */
  way?: NodeJS.ProcessEnv
  now?: () => number
  onDate?: (ms: number) => void
  attemptMs?: number
  totalMs?: number
}

function source({
  way = google.env,
  now = Date.now,
  onDate = () => {},
  attemptMs = 20_000,
  totalMs = 40_000,
}: Options = {}) {
  return createGoogleSource({
    env: { ...way, GOOGLE_APPLICATION_CREDENTIALS: google.write(`${crypto.randomUUID()}.json`, google.userLogin(ANN)) },
    delegatesOf: () => [],
    settings: SETTINGS,
    onDate,
    now,
    bounds: { attemptMs, totalMs, retryDelaysMs: [5, 10] },
  })
}

async function failureOf(t: ExecutionContext, minting: Promise<unknown>): Promise<SidemintError> {
  const error = (await t.throwsAsync(minting)) as SidemintError
  const shown = inspect(error, { depth: null, showHidden: true })
  for (const secret of google.secrets) t.false(shown.includes(secret))
  return error
}

test.serial('a certificate that nobody trusts is told with its way out, and not asked for again', async (t) => {
  // The system's store is read once in a process. None of its hundreds of certificates is the fake's, and one reads quicker.
  const store = google.write('system/ca.pem', rootCertificates[0] ?? '')
  t.teardown(setEnv({ SSL_CERT_FILE: store, SSL_CERT_DIR: dirname(store) }))
  const trusted = getCACertificates('default')
  setDefaultCACertificates([])
  const before = google.calls.length
  const { made } = google.connections
  const error = await failureOf(t, source().mint(REQUEST)).finally(() => setDefaultCACertificates(trusted))
  t.true(google.connections.made - made <= 2, "the second with the system's certificates")
  t.like(error, { code: 'TLS_UNTRUSTED', status: 403 })
  t.regex(error.message, /^the certificate of oauth2\.googleapis\.com is not trusted/)
  t.regex(error.fix, /NODE_EXTRA_CA_CERTS/)
  t.is(google.calls.length, before)
})

test('a proxy that is away is named without its password', async (t) => {
  const way = { HTTPS_PROXY: 'http://ann:hunter2@127.0.0.1:1' }
  const error = await failureOf(t, source({ way }).mint(REQUEST))
  t.like(error, { code: 'NETWORK_DOWN', status: 503 })
  t.is(error.message, 'oauth2.googleapis.com cannot be reached (ECONNREFUSED, through the proxy 127.0.0.1:1)')
  t.is(
    error.fix,
    'look at the proxy 127.0.0.1:1 that HTTPS_PROXY names: correct or unset the variable, or start the proxy',
  )
})

const REFUSALS: [answer: string, reason: string, status: number, asked: number][] = [
  ['HTTP/1.1 407 Proxy Authentication Required', 'status 407', 403, 1],
  ['HTTP/1.1 403 Forbidden', 'status 403', 403, 1],
  ['HTTP/1.1 302 Found\r\nLocation: https://login.corp/', 'status 302', 403, 1],
  ['HTTP/1.1 502 Bad Gateway', 'status 502', 503, 3],
  ['HTTP/1.1 503 Service Unavailable', 'status 503', 503, 3],
  ['', 'it closed the connection', 503, 3],
  ['220 mail.corp ESMTP', 'it does not speak HTTP as a proxy does', 403, 1],
]
for (const [answer, reason, status, times] of REFUSALS) {
  test(`a proxy that does not connect is named, and not Google: ${reason}`, async (t) => {
    let asked = 0
    const proxy = createServer((socket) => {
      asked += 1
      socket.on('error', () => {}).once('data', () => socket.end(answer && `${answer}\r\nContent-Length: 0\r\n\r\n`))
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    t.teardown(() => proxy.close())
    const { port } = proxy.address() as { port: number }
    const way = { HTTPS_PROXY: `http://ann:hunter2@127.0.0.1:${port}` }
    const error = await failureOf(t, source({ way }).mint(REQUEST))
    t.like(error, { code: 'PROXY_REFUSED', status })
    t.is(error.message, `the proxy 127.0.0.1:${port} did not connect to oauth2.googleapis.com: ${reason}`)
    t.regex(error.fix, /HTTPS_PROXY=http:/)
    t.is(asked, times)
  })
}

const WAYS: [variables: NodeJS.ProcessEnv, message: RegExp][] = [
  [{ ALL_PROXY: '127.0.0.1:1' }, /ECONNREFUSED, through the proxy 127\.0\.0\.1:1\)$/],
  [{ https_proxy: '127.0.0.1:1' }, /through the proxy 127\.0\.0\.1:1\)$/],
  [{ ALL_PROXY: '127.0.0.1:1', NO_PROXY: 'googleapis.com' }, /, without a proxy\)$/],
  [{ ALL_PROXY: 'socks5://ann:hunter2@127.0.0.1:1' }, /^the variable ALL_PROXY does not name a usable proxy: SOCKS/],
]
for (const [variables, message] of WAYS) {
  test(`the way to Google is the one that the variables name: ${JSON.stringify(variables)}`, async (t) => {
    const error = await failureOf(t, source({ way: variables, totalMs: 8_000 }).mint(REQUEST))
    t.regex(error.message, message)
    t.notRegex(error.message, /hunter2/)
  })
}

test.serial(
  "a certificate that only the system's store vouches for is trusted, though Node's own store does not",
  async (t) => {
    const file = google.write('system.json', google.userLogin(ANN))
    const script = `
    import { createGoogleSource } from ${JSON.stringify(import.meta.resolve('../../../src/mint/google.ts'))}
    const options = { env: process.env, delegatesOf: () => [], settings: { allowUserTokens: false }, onDate() {}, now: Date.now }
    const request = ${JSON.stringify(REQUEST)}
    const token = await createGoogleSource(options).mint(request).catch((error) => ({ served: error.code }))
    console.log(token.served)`
    const { NODE_EXTRA_CA_CERTS: _, ...rest } = { ...process.env, ...google.env }
    const env = { ...rest, GOOGLE_APPLICATION_CREDENTIALS: file, SSL_CERT_FILE: google.caFile }
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env })
    t.is(stdout.trim(), 'mint')
  },
)

test('without a proxy and without a network, the reason names the host', async (t) => {
  const error = await failureOf(t, source({ way: {}, totalMs: 8_000 }).mint(REQUEST))
  t.is(error.status, 503)
  t.regex(error.message, /oauth2\.googleapis\.com/)
})

test.serial(
  '50 at once while Google hangs are one chain of attempts, and the first after that finds a token',
  async (t) => {
    const clock = createClock(Date.now())
    const cache = createCache({
      source: source({ attemptMs: 1_200, totalMs: 2_350 }),
      settings: { cacheEntries: 10 },
      now: clock.now,
    })
    t.teardown(() => cache.close())
    const before = google.calls.length
    const cancel = google.fault({ kind: 'hang' })
    const started = Date.now()
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => cache.mint(REQUEST)))
    t.true(Date.now() - started < 10_000)
    cancel()
    const codes = new Set(outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'minted')))
    t.deepEqual([...codes], ['UPSTREAM_TIMEOUT'])
    t.true(google.calls.length - before <= 2)
    await failureOf(t, cache.mint(REQUEST))
    clock.advance(3 * SECOND)
    const between = google.calls.length
    t.is((await cache.mint(REQUEST)).served, 'mint')
    t.is(google.calls.length - between, 2, 'one refresh and one mint')
  },
)

test.serial('a clock that is behind does not lengthen the life of a token', async (t) => {
  for (const offsetMs of [10 * MINUTE, -10 * MINUTE]) {
    google.clock.offsetMs = offsetMs
    const dates: number[] = []
    const skewed = source({ onDate: (ms) => dates.push(ms) })
    for (const request of [REQUEST, ACCESS]) {
      const { expiresAtMs } = await skewed.mint(request)
      t.true(Math.abs(expiresAtMs - Date.now() - 60 * MINUTE) < 5_000, `${request.kind} ${offsetMs}`)
    }
    t.true(dates.length >= 3)
    for (const ms of dates) t.true(Math.abs(ms - Date.now() - offsetMs) < 5_000)
  }
  google.clock.offsetMs = 0
})

test.serial('closing ends a mint that hangs', async (t) => {
  const cache = createCache({ source: source(), settings: { cacheEntries: 10 }, now: Date.now })
  const cancel = google.fault({ kind: 'hang' })
  const minting = cache.mint(REQUEST)
  setTimeout(() => cache.close(), 100)
  const started = Date.now()
  await failureOf(t, minting)
  t.true(Date.now() - started < 2_000)
  cancel()
})

for (const [code, fix] of [
  ['CERT_HAS_EXPIRED', /^compare `date -u`/],
  ['CERT_NOT_YET_VALID', /^compare `date -u`/],
  ['SELF_SIGNED_CERT_IN_CHAIN', /NODE_EXTRA_CA_CERTS/],
] as const) {
  test(`a certificate refused with ${code} is told with what helps against that`, (t) => {
    const to = { url: new URL('https://oauth2.googleapis.com/token'), proxy: undefined }
    const error = explainThrown(Object.assign(new Error('refused'), { code }), to)
    t.like(error, { code: 'TLS_UNTRUSTED' })
    t.regex((error as SidemintError).fix, fix)
  })
}
