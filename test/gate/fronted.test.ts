/** `serve` with `gates:` in its file: one process that mints, and stands before the services. */

import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { readClaims } from '../../src/core/token.ts'
import { startServer } from '../../src/server.ts'
import { type LogRecord, run, serving } from '../commands/run.ts'
import { freePort } from '../free-port.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { scratch, startService } from './process.ts'

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const AUDIENCE = 'http://billing:8080'

interface Banner extends LogRecord {
  url: string
  gateUrls?: string[]
  gates: { host: string; trust: string[] }[]
}

let files = 0

/** A settings file with these gates, and whatever else it says. */
function settingsWith(gates: readonly object[], more: object = {}): string {
  files += 1
  const path = join(scratch, `fronted-${files}.yaml`)
  writeFileSync(path, JSON.stringify({ gates, ...more }))
  return path
}

const billing = (upstream: string, more: object = {}) => ({
  host: 'billing',
  upstream,
  audience: [AUDIENCE],
  invoker: [`serviceAccount:${ORDERS}`],
  ...more,
})

async function serve(t: ExecutionContext, config: string, argv: readonly string[] = []) {
  const flags = [
    '--source=local',
    '--port=0',
    '--gate-port=0',
    '--service-account',
    ORDERS,
    '--config',
    config,
    ...argv,
  ]
  const running = await serving<Banner>(t, ['serve', ...flags])
  const { url, gateUrls = [], gates } = running.banner
  const token = async (audience: string) => (await ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${audience}`)).body
  return { ...running, url, gates, front: gateUrls[0] ?? '', gateUrls, token }
}

const to = (host: string, token?: string) => ({
  headers: { Host: `${host}:8080`, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) },
})

test('serve fronts the gates of its file and trusts its own tokens without being told', async (t) => {
  const { url: upstream } = await startService(t)
  const { url: shop } = await startService(t, (_, res) => void res.end('shop'))
  const open = { host: 'shop', upstream: shop, invoker: ['allUsers'] }
  // Whose tokens are taken is said, and the server itself is not among them.
  const config = settingsWith([billing(upstream, { trust: ['google'] }), open])
  const { url, front, gates, token, logged, records } = await serve(t, config)
  t.not(front, url)
  t.like(await ask(front, '/', to('billing', await token(AUDIENCE))), { status: 200, body: 'ok' })
  t.is((await ask(front, '/', to('billing', await token('http://other')))).status, 401)
  t.is((await ask(front, '/', to('billing'))).status, 403)
  t.is((await ask(front, '/', to('shop'))).body, 'shop')
  t.is((await ask(front, '/', to('ledger'))).status, 404)
  t.deepEqual(
    gates.map(({ host, trust }) => [host, trust.includes(url)]),
    [
      ['billing', true],
      ['shop', true],
    ],
  )
  await logged('gate', 5)
  const [admitted] = records().filter(({ event }) => event === 'gate')
  t.like(admitted, { code: 'INVOKER', caller: '127.0.0.1', host: 'billing', principal: ORDERS })
})

test('its own token without an email is known by its account, and the refusal names the lines that let that in', async (t) => {
  const { url: upstream } = await startService(t)
  const config = settingsWith([billing(upstream, { invoker: ['user:ann@acme.com'] })])
  const { url, front, token, logged, records } = await serve(t, config)
  const sent = await token(AUDIENCE)
  t.is(readClaims(sent)?.email, undefined)
  t.is((await ask(front, '/', to('billing', sent))).status, 403)
  await logged('gate', 1)
  const [refused] = records().filter(({ event }) => event === 'gate')
  t.like(refused, { code: 'NOT_AN_INVOKER', principal: ORDERS })
  const reason = String(refused?.reason)
  t.true(
    reason.includes(
      `\`invoker: [user:ann@acme.com, serviceAccount:${ORDERS}]\` in the entry of billing under \`gates:\``,
    ),
    reason,
  )
  t.true(
    reason.includes(
      `\`gcloud run services add-iam-policy-binding billing --member=serviceAccount:${ORDERS} --role=roles/run.invoker --region=REGION --project=PROJECT\``,
    ),
    reason,
  )
  const { hops } = JSON.parse((await ask(url, '/_sidemint/requests')).body)
  t.like(hops, [{ account: ORDERS }])
})

test('a refusal for want of a token names the server whose tokens are taken, where commands would ask another', async (t) => {
  const { url, front, logged, records } = await serve(t, settingsWith([billing('http://127.0.0.1:1')]))
  t.is((await ask(front, '/', to('billing'))).status, 403)
  await logged('gate', 1)
  const reason = String(records().find(({ event }) => event === 'gate')?.reason)
  t.true(reason.includes(`\`sidemint token --audience ${AUDIENCE} --format full --server ${url}\` prints one`), reason)
  const asOthers = await serve(t, settingsWith([billing('http://127.0.0.1:1')]), [
    '--issuer',
    'http://metadata.google.internal',
  ])
  t.is((await ask(asOthers.front, '/', to('billing'))).status, 403)
  await asOthers.logged('gate', 1)
  const there = String(asOthers.records().find(({ event }) => event === 'gate')?.reason)
  t.true(there.includes(`\`sidemint token --audience ${AUDIENCE} --format full\` prints one`), there)
})

test('in mode report the log says that the call was let through, why it would have been refused, and what the service did', async (t) => {
  const config = settingsWith([billing('http://127.0.0.1:1', { mode: 'report', invoker: ['user:ann@acme.com'] })])
  const { front, token, logged, records } = await serve(t, config)
  const sent = await token(AUDIENCE)
  t.is((await ask(front, '/', to('billing', sent))).status, 502)
  await logged('gate', 1)
  const text = String(records().find(({ event }) => event === 'gate')?.msg)
  t.regex(
    text,
    /billing GET \/ let through, would be refused 403 as orders@acme-dev for \S+ NOT_AN_INVOKER, answered 502: /,
  )
})

test('its own keys are read where they are: nobody answers at the address that its issuer names', async (t) => {
  const { url: upstream } = await startService(t)
  const config = settingsWith([billing(upstream)])
  const { front, token } = await serve(t, config, ['--issuer', `http://127.0.0.1:${await freePort()}`])
  t.is((await ask(front, '/', to('billing', await token(AUDIENCE)))).status, 200)
})

test("a token that another key signed in the server's own name is refused", async (t) => {
  const { url: upstream } = await startService(t)
  const argv = ['--issuer=http://metadata.google.internal']
  const [own, other] = [
    await serve(t, settingsWith([billing(upstream)]), argv),
    await serve(t, settingsWith([billing(upstream)]), argv),
  ]
  t.is((await ask(own.front, '/', to('billing', await other.token(AUDIENCE)))).status, 401)
})

test('gates of one port share a listener, and one with a port has its own', async (t) => {
  const { url: upstream } = await startService(t)
  const port = await freePort()
  const config = settingsWith([billing(upstream, { port }), billing(upstream, { host: 'ledger' })])
  const { gateUrls, token } = await serve(t, config)
  const [shared = '', own = ''] = gateUrls
  t.is(own, `http://127.0.0.1:${port}`)
  const good = await token(AUDIENCE)
  t.is((await ask(own, '/', to('billing', good))).status, 200)
  t.is((await ask(own, '/', to('ledger', good))).status, 404)
  t.is((await ask(shared, '/', to('ledger', good))).status, 200)
})

test('what the gates decide is in the metrics of the server', async (t) => {
  const { url: upstream } = await startService(t)
  const { front, url } = await serve(t, settingsWith([billing(upstream)]))
  await ask(front, '/', to('billing'))
  t.regex((await ask(url, '/_sidemint/metrics')).body, /TOKEN_MISSING/)
})

test('without gates in the file no port is taken for them', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  t.teardown(() => void taken.close())
  const { port } = taken.address() as { port: number }
  const { gateUrls } = await serve(t, settingsWith([]), ['--gate-port', String(port)])
  t.deepEqual(gateUrls, [])
})

test('a gate port that is taken is an error at the start', async (t) => {
  const { port } = await startService(t)
  const upstream = 'http://127.0.0.1:1'
  const flags = ['serve', '--source=local', '--port=0', '--config']
  const shared = await run([...flags, settingsWith([billing(upstream)]), '--gate-port', String(port)])
  t.is(shared.code, 1)
  t.regex(shared.err, /^sidemint: PORT_TAKEN: 127\.0\.0\.1:\d+ .*with --gate-port\n$/)
  const own = await run([...flags, settingsWith([billing(upstream, { port })])])
  t.is(own.code, 1)
  t.regex(own.err, /^sidemint: PORT_TAKEN: .*with `port:` under `gates:`\n$/)
})

test('what is wrong with the gates is said at once, with exit code 2', async (t) => {
  const upstream = 'http://127.0.0.1:1'
  const gates = [billing(upstream, { invoker: [] }), billing(upstream), billing(upstream, { host: 'a', port: 16926 })]
  const identities = [{ serviceAccount: ORDERS, port: 16926 }]
  const { code, err } = await run(['serve', '--config', settingsWith(gates, { identities, gatePort: 16925 })])
  t.is(code, 2)
  for (const said of [
    /gates\[0\]: nobody could call/,
    /two of them are billing on port 16925/,
    /gates: the port 16925 is already the server's/,
    /gates: the port 16926 is already the server's/,
  ])
    t.regex(err, said)
})

test('exec reads the same file, fronts nothing and says so', async (t) => {
  const { port } = await startService(t)
  const config = settingsWith([billing('http://127.0.0.1:1')], { gatePort: port })
  const { code, err } = await run(['exec', '--config', config, '--', process.execPath, '--eval', ''])
  t.is(code, 0)
  t.true(
    err.includes(
      `sidemint: \`gates:\` of ${config} are left out: only \`sidemint serve\` and \`sidemint gate\` front them\n`,
    ),
    err,
  )
})

test('at the end a call that is under way at a gate is answered', async (t) => {
  const reached = Promise.withResolvers<() => void>()
  const { url: upstream } = await startService(t, (_, res) => reached.resolve(() => void res.end('late')))
  const gates = [{ host: 'shop', upstream, invoker: ['allUsers'] }]
  const settings = settle({ options: { port: 0, gatePort: 0, source: 'local', gates } })
  const server = await startServer({ settings, env: {}, frontGates: true })
  const [front = ''] = server.front.urls
  const answered = ask(front, '/', to('shop'))
  const finish = await reached.promise
  const { port } = new URL(front)
  const idle = connect(Number(port), '127.0.0.1').on('error', () => {})
  await new Promise((resolve) => idle.once('connect', resolve))
  const closed = new Promise((resolve) => idle.once('close', resolve))
  const stopped = server.close(60_000)
  await closed
  finish()
  t.is((await answered).body, 'late')
  await stopped
})
