import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import test, { type ExecutionContext } from 'ava'
import { type CommandShape, readArguments } from '../../src/commands/arguments.ts'
import { run as healthcheck } from '../../src/commands/healthcheck.ts'
import { asFailure } from '../../src/core/errors.ts'
import { createEvents, type GateEvent } from '../../src/core/events.ts'
import { takeSnapshot } from '../../src/core/snapshot.ts'
import { checkGates } from '../../src/gate/options.ts'
import { startGates } from '../../src/gate/server.ts'
import { freePort } from '../free-port.ts'
import { ask } from '../http-client.ts'
import { recordEvents } from '../recorder.ts'
import { BILLING, metadata, scratch, startService } from './process.ts'

const AUDIENCE = 'http://ledger:8080'

const SHAPE: CommandShape = {
  name: 'gate',
  usage: '',
  summary: '',
  flags: {},
  takes: 'nothing',
  check: checkGates,
}

/** The gates of these flags on free ports, in this process; they trust the metadata server alone. */
async function start(t: ExecutionContext, argv: readonly string[]) {
  const all = ['--port=0', '--admin-port=0', '--trust', metadata.issuer, ...argv]
  const { settings } = await readArguments(SHAPE, { argv: all, env: {} })
  const events = createEvents()
  const seen = recordEvents(events)
  const gates = await startGates({ settings, events })
  t.teardown(() => gates.close())
  const decisions = () => seen.filter((event): event is GateEvent => event.type === 'gate')
  const applyAgain = () => gates.apply(settings, takeSnapshot().read)
  return { ...gates, front: gates.urls[0] ?? '', decisions, applyAgain }
}

const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })

test('a gate admits its invoker, refuses as Cloud Run does, and says each decision with its reason', async (t) => {
  const { url } = await startService(t)
  const invoker = `--invoker=serviceAccount:${BILLING}`
  const { front, decisions } = await start(t, ['--upstream', url, '--audience', AUDIENCE, invoker])
  const token = await metadata.issueToken({ audience: AUDIENCE })
  const wrong = await metadata.issueToken({ audience: 'http://other' })
  const stranger = await metadata.issueToken({ audience: AUDIENCE, serviceAccount: 'x@y.iam.gserviceaccount.com' })
  t.is((await ask(front, '/')).status, 403)
  t.is((await ask(front, '/', bearer(wrong))).status, 401)
  t.is((await ask(front, '/', bearer(stranger))).status, 403)
  t.like(await ask(front, '/', bearer(token)), { status: 200, body: 'ok' })
  t.deepEqual(
    decisions().map(({ code }) => code),
    ['TOKEN_MISSING', 'AUDIENCE_WRONG', 'NOT_AN_INVOKER', 'INVOKER'],
  )
  t.like(decisions()[2], { principal: 'x@y.iam.gserviceaccount.com', audience: AUDIENCE, caller: '127.0.0.1' })
  t.false(JSON.stringify(decisions()).includes(token.split('.')[2] ?? ''))
})

test("a service account's token without an email is known by its subject, also where a policy file names it", async (t) => {
  const { url } = await startService(t)
  const members = [`serviceAccount:${BILLING}`]
  const policy = join(scratch, 'subject.json')
  writeFileSync(policy, JSON.stringify({ bindings: [{ role: 'roles/run.invoker', members }] }))
  const config = join(scratch, 'subject.yaml')
  writeFileSync(config, 'policy: ./subject.json')
  const path = `/computeMetadata/v1/instance/service-accounts/default/identity?audience=${AUDIENCE}`
  const { body } = await ask(metadata.url, path)
  for (const who of [`--invoker=${members[0]}`, `--config=${config}`]) {
    const { front } = await start(t, ['--upstream', url, '--audience', AUDIENCE, who])
    t.is((await ask(front, '/', bearer(body))).status, 200, who)
  }
})

test('a token that a gate knows already is decided about by the policy in force', async (t) => {
  const { url } = await startService(t)
  const policy = join(scratch, 'changes.json')
  const admitOnly = (...members: string[]) =>
    writeFileSync(policy, JSON.stringify({ bindings: [{ role: 'roles/run.invoker', members }] }))
  admitOnly(`serviceAccount:${BILLING}`)
  const { front, decisions, applyAgain } = await start(t, [
    `--upstream=${url}`,
    `--audience=${AUDIENCE}`,
    '--policy',
    policy,
  ])
  const token = await metadata.issueToken({ audience: AUDIENCE })
  const askTwice = async () => [
    (await ask(front, '/', bearer(token))).status,
    (await ask(front, '/', bearer(token))).status,
  ]
  t.deepEqual(await askTwice(), [200, 200])
  admitOnly('user:ann@acme.com')
  await applyAgain()
  t.deepEqual(await askTwice(), [403, 403])
  t.is(decisions().at(-1)?.code, 'NOT_AN_INVOKER')
  admitOnly(`serviceAccount:${BILLING}`)
  await applyAgain()
  t.deepEqual(await askTwice(), [200, 200])
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
  const { urls } = await start(t, ['--config', config])
  const [shared = '', own = ''] = urls
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
  const { adminUrl, front, close } = await start(t, ['--upstream', url, '--invoker=allUsers'])
  t.is((await ask(front, '/_sidemint/health')).body, 'service /_sidemint/health')
  t.like(await ask(adminUrl, '/_sidemint/health'), { status: 200, body: 'ok\n' })
  t.is((await ask(adminUrl, '/_sidemint/health', { headers: { Host: 'evil.example' } })).status, 403)
  const metrics = await ask(adminUrl, '/_sidemint/metrics')
  t.regex(metrics.body, /^sidemint_gate_decisions_total\{decision="allow",code="PUBLIC"\} 1$/m)
  const { port } = new URL(adminUrl)
  const silent = { write: () => true }
  const health = (argv: string[], env: NodeJS.ProcessEnv) =>
    healthcheck(argv, {
      env,
      pointers: {},
      readStdin: async () => '',
      stopSignal: () => new Promise(() => {}),
      stdout: silent,
      stderr: silent,
    })
  const container = { SIDEMINT_HOST: '0.0.0.0', SIDEMINT_PORT: '80', SIDEMINT_ADMIN_PORT: port }
  t.is(await health(['--port', port], {}), 0)
  t.is(await health(['--ready'], container), 0)
  await close()
  t.is(await health([], container), 1)
})

test('a header of 33 kB is 431, and bytes that are no HTTP are 400, before a service sees them', async (t) => {
  let reached = 0
  const { url } = await startService(t, (_, res) => {
    reached += 1
    res.end()
  })
  const { front } = await start(t, ['--upstream', url, '--invoker=allUsers'])
  for (const [bytes, status] of [
    [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(33_000)}\r\n\r\n`, 431],
    ['nonsense\r\n\r\n', 400],
  ] as const) {
    const socket = connect(Number(new URL(front).port), '127.0.0.1')
    socket.write(bytes)
    t.regex(await text(socket), new RegExp(`^HTTP/1\\.1 ${status} `))
  }
  t.is(reached, 0)
})

test('a port that is taken is an error, and nothing stays open', async (t) => {
  const { url, port } = await startService(t)
  const own = await freePort()
  const argv = ['--upstream', url, '--invoker=allUsers', `--port=${own}`, `--admin-port=${port}`]
  const error = await t.throwsAsync(start(t, argv), { code: 'PORT_TAKEN' })
  t.regex(asFailure(error).fix, /another address with --admin-port$/)
  await t.notThrowsAsync(start(t, [...argv, '--admin-port=0']))
})
