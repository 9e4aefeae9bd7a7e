import { type AddressInfo, createServer, type Server } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { checkNetwork } from '../../src/doctor/network.ts'
import { type FakeGoogle, startFakeGoogle } from '../google/start.ts'

/** Where nothing listens. */
const NOWHERE = '127.0.0.1:1'

let google: FakeGoogle
test.before(async () => {
  google = await startFakeGoogle()
})
test.after.always(() => google.close())
test.afterEach.always(() => {
  google.clearFaults()
  google.clock.offsetMs = 0
})

async function network(env: NodeJS.ProcessEnv, signal?: AbortSignal) {
  const found = await checkNetwork(env, undefined, signal)
  const of = (check: string) => found.filter((finding) => finding.check === check)
  return { network: of('network'), clock: of('clock'), text: JSON.stringify(found) }
}

test.serial('a certificate of a stranger is told from a network that is down', async (t) => {
  const found = await network(google.env)
  t.is(found.network.length, 2)
  for (const { status, what, fix = '' } of found.network) {
    t.is(status, 'fail')
    t.regex(what, /googleapis\.com is not trusted \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)/)
    t.regex(fix, /NODE_EXTRA_CA_CERTS=/)
  }
  t.deepEqual(found.clock, [])
})

test.serial('both hosts answer by the proxy, and their clock is compared', async (t) => {
  google.applyEnv()
  const found = await network(google.env)
  t.like(found.network, [{ status: 'ok' }, { status: 'ok' }])
  t.regex(
    found.network[0]?.what ?? '',
    /^oauth2\.googleapis\.com answers through the proxy 127\.0\.0\.1:\d+ \(HTTPS_PROXY\)$/,
  )
  t.regex(found.network[1]?.what ?? '', /^iamcredentials\.googleapis\.com answers/)
  t.like(found.clock, [{ status: 'ok' }])
})

test.serial("in another universe that one's hosts are asked, and none of Google's own", async (t) => {
  const found = await checkNetwork({ HTTPS_PROXY: `http://${NOWHERE}` }, 'example.goog')
  t.regex(found[0]?.what ?? '', /sts\.example\.goog/)
  t.regex(found[1]?.what ?? '', /iamcredentials\.example\.goog/)
  t.false(JSON.stringify(found).includes('googleapis'))
})

for (const { offsetMs, status, says } of [
  { offsetMs: 3_000, status: 'ok', says: /agrees/ },
  { offsetMs: 12_000, status: 'warn', says: /12 s behind Google/ },
  { offsetMs: -12_000, status: 'warn', says: /12 s ahead of Google/ },
  { offsetMs: 412_000, status: 'fail', says: /412 s behind Google/ },
] as const) {
  test.serial(`a clock that differs by ${offsetMs / 1000} s is ${status}`, async (t) => {
    google.applyEnv()
    google.clock.offsetMs = offsetMs
    const { clock } = await network(google.env)
    t.is(clock.length, 1)
    t.is(clock[0]?.status, status)
    // The Date header tells whole seconds, so the difference is one off at times.
    t.regex((clock[0]?.what ?? '').replace(/\b(11|13)\b/, '12').replace(/\b(411|413)\b/, '412'), says)
  })
}

test.serial('a connection that is cut, or not answered in time, is said to be connected', async (t) => {
  google.applyEnv()
  const cut = google.fault({ kind: 'reset' })
  for (const { what } of (await network(google.env)).network)
    t.regex(what, /googleapis\.com is connected .* does not answer \(ECONNRESET\)/)
  cut()
  google.fault({ kind: 'hang' })
  const [late, before] = [new AbortController(), google.calls.length]
  const finding = network(google.env, late.signal)
  while (google.calls.length < before + 2) await setImmediate()
  late.abort()
  for (const { what } of (await finding).network)
    t.regex(what, /googleapis\.com is connected .* does not answer \(no answer in time\)/)
})

test.serial(
  'whatever a proxy does in place of connecting is its doing, and names it, never its password',
  async (t) => {
    for (const { answer, says, fix } of [
      { answer: 'HTTP/1.1 403 No\r\n\r\n', says: /status 403/, fix: /pass oauth2\.googleapis\.com:443/ },
      {
        answer: 'HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n',
        says: /status 302/,
        fix: /let the proxy pass/,
      },
      { answer: 'HTTP/1.1 407 Who\r\n\r\n', says: /status 407/, fix: /HTTPS_PROXY=http:\/\/USER:PASSWORD@HOST:PORT/ },
      { answer: '', says: /it closed the connection/, fix: /start that proxy/ },
      { answer: 'SSH-2.0-OpenSSH\r\n\r\n', says: /does not speak HTTP/, fix: /correct HTTPS_PROXY/ },
    ]) {
      const server = await proxy(answer)
      t.teardown(() => server.close())
      const { network: found, text } = await network({ HTTPS_PROXY: `http://ann:hunter2@${addressOf(server)}` })
      t.is(found.length, 2)
      t.like(found[0], { status: 'fail' })
      t.regex(
        found[0]?.what ?? '',
        new RegExp(`^the proxy ${addressOf(server)} \\(HTTPS_PROXY\\) did not connect to oauth2`),
      )
      t.regex(found[0]?.what ?? '', says)
      t.regex(found[0]?.fix ?? '', fix)
      t.false(text.includes('hunter2'))
    }
  },
)

test.serial('a proxy that is not there is named, with its variable, as the one that nobody reaches', async (t) => {
  for (const [variable, url] of [
    ['HTTPS_PROXY', `http://ann:hunter2@${NOWHERE}`],
    ['https_proxy', NOWHERE],
    ['ALL_PROXY', `http://${NOWHERE}`],
  ] as const) {
    const { network: found, text } = await network({ [variable]: url })
    t.like(found[0], { status: 'fail' })
    t.regex(found[0]?.what ?? '', new RegExp(`the proxy 127\\.0\\.0\\.1:1 \\(${variable}\\).*ECONNREFUSED`))
    t.regex(found[0]?.fix ?? '', new RegExp(variable))
    t.false(text.includes('hunter2'))
  }
})

test.serial('a proxy variable that names none fails with its code, for both hosts', async (t) => {
  const { network: found } = await network({ HTTPS_PROXY: 'socks5://127.0.0.1:1080' })
  t.like(found, [
    { status: 'fail', code: 'PROXY_UNUSABLE' },
    { status: 'fail', code: 'PROXY_UNUSABLE' },
  ])
})

test.serial('of a host that NO_PROXY spares no proxy is said, nor that there is none', async (t) => {
  for (const NO_PROXY of ['googleapis.com', '.googleapis.com', '*.googleapis.com', 'OAuth2.GoogleAPIs.com', '*']) {
    const { network: found } = await network({ HTTPS_PROXY: `http://${NOWHERE}`, NO_PROXY })
    t.is(found[0]?.status, 'fail', 'this machine has no way to Google')
    t.notRegex(found[0]?.what ?? '', /the proxy|127\.0\.0\.1|is unset/, NO_PROXY)
  }
})

/** Answers every CONNECT with these bytes, and closes. */
async function proxy(answer: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

function addressOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

test.serial('a host that has not answered is given up after five seconds', async (t) => {
  const { timeout } = AbortSignal
  t.teardown(() => Object.assign(AbortSignal, { timeout }))
  const waits: number[] = []
  AbortSignal.timeout = (ms) => {
    waits.push(ms)
    return timeout.call(AbortSignal, ms)
  }
  await network({ HTTPS_PROXY: `http://${NOWHERE}` })
  t.deepEqual(waits, [5_000])
})
