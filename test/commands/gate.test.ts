import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { ask } from '../client.ts'
import { runCli } from '../command-line.ts'
import { BILLING, freePort, metadata, scratch, startGate, startService } from '../gate-process.ts'

const AUDIENCE = 'http://ledger:8080'

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })

test('a gate admits its invoker, refuses as Cloud Run does, and logs each decision with its reason', async (t) => {
  const { url } = await startService(t)
  const gate = await startGate(t, ['--upstream', url, '--audience', AUDIENCE, '--invoker', `serviceAccount:${BILLING}`])
  const { front } = gate
  t.like(gate.banner.gates[0], { upstream: url, invokers: [`serviceAccount:${BILLING}`], trust: [metadata.issuer] })
  const token = await metadata.issueToken({ audience: AUDIENCE })
  const wrong = await metadata.issueToken({ audience: 'http://other' })
  const stranger = await metadata.issueToken({ audience: AUDIENCE, serviceAccount: 'x@y.iam.gserviceaccount.com' })
  t.is((await ask(front, '/')).status, 403)
  t.is((await ask(front, '/', bearer(wrong))).status, 401)
  t.is((await ask(front, '/', bearer(stranger))).status, 403)
  t.like(await ask(front, '/', bearer(token)), { status: 200, body: 'ok' })
  const { code } = await gate.stop()
  t.is(code, 0)
  const decisions = gate.records.filter(({ event }) => event === 'gate')
  t.deepEqual(
    decisions.map((record) => record.code),
    ['TOKEN_MISSING', 'AUDIENCE_WRONG', 'NOT_AN_INVOKER', 'INVOKER'],
  )
  t.like(decisions[2], { principal: 'x@y.iam.gserviceaccount.com', audience: AUDIENCE, caller: '127.0.0.1' })
  t.false(JSON.stringify(gate.records).includes(token.split('.')[2] ?? ''))
})

test("a service account's token without an email is known by its subject", async (t) => {
  const { url } = await startService(t)
  const gate = await startGate(t, ['--upstream', url, '--audience', AUDIENCE, '--invoker', `serviceAccount:${BILLING}`])
  const path = `/computeMetadata/v1/instance/service-accounts/default/identity?audience=${AUDIENCE}`
  const { body } = await ask(metadata.url, path)
  t.is((await ask(gate.front, '/', bearer(body))).status, 200)
})

test('one process fronts the gates of sidemint.yaml, each by its own rules, and by its own port', async (t) => {
  const ledger = await startService(t, (_, res) => void res.end('ledger'))
  const shop = await startService(t, (_, res) => void res.end('shop'))
  const port = await freePort()
  const config = join(scratch, 'gates.yaml')
  writeFileSync(
    config,
    `gates:
  - { host: Ledger, upstream: "${ledger.url}", audience: ["${AUDIENCE}"], invoker: ["serviceAccount:${BILLING}"] }
  - { host: billing.internal, port: ${port}, upstream: "${ledger.url}", audience: [x], invoker: [allUsers], mode: report }
  - { host: shop, upstream: "${shop.url}", invoker: [allUsers] }
`,
  )
  const gate = await startGate(t, ['--config', config])
  const [shared = '', own = ''] = gate.banner.urls
  t.is(own, `http://127.0.0.1:${port}`)
  const headers = { Host: 'ledger:8080' }
  t.is((await ask(shared, '/', { headers })).status, 403)
  const token = await metadata.issueToken({ audience: AUDIENCE })
  t.is((await ask(shared, '/', { headers: { ...headers, ...bearer(token).headers } })).body, 'ledger')
  t.is((await ask(shared, '/', { headers: { Host: 'shop' } })).body, 'shop')
  t.is((await ask(own, '/', { headers: { Host: 'billing.internal' } })).body, 'ledger')
  t.is((await ask(shared, '/', { headers: { Host: 'billing.internal' } })).status, 404)
})

test('health and metrics are on the admin port, and no path is taken from the service', async (t) => {
  const { url } = await startService(t, (req, res) => void res.end(`service ${req.url}`))
  const gate = await startGate(t, ['--upstream', url, '--invoker=allUsers'])
  const { adminUrl } = gate.banner
  t.is((await ask(gate.front, '/_sidemint/health')).body, 'service /_sidemint/health')
  t.like(await ask(adminUrl, '/_sidemint/health'), { status: 200, body: 'ok\n' })
  t.is((await ask(adminUrl, '/_sidemint/health', { headers: { Host: 'evil.example' } })).status, 403)
  const metrics = await ask(adminUrl, '/_sidemint/metrics')
  t.regex(metrics.body, /^sidemint_gate_decisions_total\{decision="allow",code="PUBLIC"\} 1$/m)
  const { port } = new URL(adminUrl)
  t.is((await runCli(['healthcheck', '--port', port])).code, 0)
  const env = { SIDEMINT_HOST: '0.0.0.0', SIDEMINT_PORT: '80', SIDEMINT_ADMIN_PORT: port }
  t.is((await runCli(['healthcheck', '--ready'], { env })).code, 0, 'as in a container')
  await gate.stop()
  t.is((await runCli(['healthcheck'], { env })).code, 1)
})

test('a gate stops within a second, also over an open event stream, an upload and a WebSocket', async (t) => {
  const { url, service } = await startService(t, (req, res) => {
    if (req.method === 'GET') res.write('data: 1\n\n')
  })
  service.on('upgrade', (_, socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
  })
  const gate = await startGate(t, ['--upstream', url, '--invoker=allUsers'])
  const { port } = new URL(gate.front)
  const clients = [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf',
    'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  ].map((request) => {
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', () => {}).write(request)
    return socket
  })
  const closed = Promise.all(clients.map((socket) => once(socket, 'close')))
  await Promise.all([clients[0], clients[2]].map((socket) => socket && once(socket, 'data')))
  await gate.logged('gate', 3)
  const { code, tookMs } = await gate.stop()
  t.is(code, 0)
  t.true(tookMs < 1_500, `${tookMs} ms`)
  await closed
})

test('a header of 33 kB is 431, and bytes that are no HTTP are 400, before a service sees them', async (t) => {
  let reached = 0
  const { url } = await startService(t, (_, res) => {
    reached += 1
    res.end()
  })
  const gate = await startGate(t, ['--upstream', url, '--invoker=allUsers'])
  const { port } = new URL(gate.front)
  for (const [bytes, status] of [
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(33_000)}\r\n\r\n`, 431],
    ['nonsense\r\n\r\n', 400],
  ] as const) {
    const socket = connect(Number(port), '127.0.0.1')
    socket.write(bytes)
    t.regex(await text(socket), new RegExp(`^HTTP/1\\.1 ${status} `))
  }
  t.is(reached, 0)
})

test('everything that is wrong is said at once, with exit code 2', async (t) => {
  const argv = ['gate', '--upstream=ledger', '--invoker=bob,principal://x', '--prot=1', '--mode=off', '--audience=x']
  const { code, stderr } = await runCli(argv, { env: { SIDEMINT_ADMIN_PORT: 'x' } })
  t.is(code, 2)
  for (const named of ['--upstream', '--invoker[0]', '--invoker[1]', '--prot', '--mode', 'SIDEMINT_ADMIN_PORT']) {
    t.true(stderr.includes(named), named)
  }
  const policy = join(scratch, 'policy.json')
  writeFileSync(policy, '{"bindings":[{"role":"roles/run.invoker","members":["allUsers"],"condition":{"title":"x"}}]}')
  const refused = await runCli(['gate', '--upstream=http://a', '--audience=x', '--policy', policy])
  t.is(refused.code, 2)
  t.regex(refused.stderr, /POLICY|condition/)
})

test('a port that is taken is an error, and --help names what there is not', async (t) => {
  const { url, port } = await startService(t)
  const argv = ['gate', '--upstream', url, '--invoker=allUsers', `--port=${port}`, '--admin-port=0']
  const taken = await runCli(argv)
  t.is(taken.code, 1)
  t.regex(taken.stderr, /PORT_TAKEN/)
  const { stdout } = await runCli(['gate', '--help'])
  t.regex(stdout, /no h2c and no gRPC/)
  t.regex(stdout, /--port N .*\(default: 8080\)/)
  t.notRegex((await runCli(['serve', '--help'])).stdout, /--upstream|--invoker/)
})
