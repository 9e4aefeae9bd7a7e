import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
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

async function network(env: NodeJS.ProcessEnv) {
  const found = await checkNetwork(env)
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
  t.regex(found.network[0]?.what ?? '', /^oauth2\.googleapis\.com answers by HTTPS_PROXY \(127\.0\.0\.1:\d+\)$/)
  t.regex(found.network[1]?.what ?? '', /^iamcredentials\.googleapis\.com answers/)
  t.like(found.clock, [{ status: 'ok' }])
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

test.serial('a connection that is cut or never answered is given up in time', async (t) => {
  google.applyEnv()
  google.fault({ kind: 'reset', host: 'oauth2.googleapis.com' })
  google.fault({ kind: 'hang', host: 'iamcredentials.googleapis.com' })
  const startedAtMs = Date.now()
  const found = await network(google.env)
  t.true(Date.now() - startedAtMs < 7_000)
  t.regex(found.network[0]?.what ?? '', /oauth2\S+ is connected .* does not answer \(ECONNRESET\)/)
  t.regex(found.network[1]?.what ?? '', /iamcredentials\S+ is connected .* does not answer \(no answer in time\)/)
})

test.serial('a proxy that is not there, refuses, or wants a login is named, never its password', async (t) => {
  const refusing = await proxy(403)
  t.teardown(() => refusing.close())
  const locked = await proxy(407)
  t.teardown(() => locked.close())
  for (const { url, says, fix } of [
    {
      url: `http://ann:hunter2@${NOWHERE}`,
      says: /HTTPS_PROXY \(127\.0\.0\.1:1\): ECONNREFUSED/,
      fix: /unset the variable/,
    },
    { url: '127.0.0.1:3128', says: /not a URL/, fix: /http:\/\/HOST:PORT/ },
    { url: `http://ann:hunter2@${addressOf(refusing)}`, says: /status 403/, fix: /pass oauth2\.googleapis\.com:443/ },
    { url: `http://${addressOf(locked)}`, says: /status 407/, fix: /USER:PASSWORD/ },
  ]) {
    const { network: found, text } = await network({ HTTPS_PROXY: url })
    t.like(found[0], { status: 'fail' })
    t.regex(found[0]?.what ?? '', says)
    t.regex(found[0]?.fix ?? '', fix)
    t.false(text.includes('hunter2'))
  }
})

test.serial('a host that NO_PROXY names is asked without the proxy', async (t) => {
  for (const NO_PROXY of ['oauth2.googleapis.com', '.googleapis.com', '*.googleapis.com']) {
    const { network: found } = await network({ HTTPS_PROXY: `http://${NOWHERE}`, NO_PROXY })
    t.notRegex(found[0]?.what ?? '', /proxy/, NO_PROXY)
  }
  const { network: found } = await network({ HTTPS_PROXY: `http://${NOWHERE}`, NO_PROXY: '*,googleapis.com' })
  t.regex(found[0]?.what ?? '', /proxy/, 'as little as gaxios takes it')
})

/** Answers every CONNECT with this status. */
async function proxy(status: number): Promise<Server> {
  const server = createServer().on('connect', (_, socket) => socket.end(`HTTP/1.1 ${status} No\r\n\r\n`))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

function addressOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}
