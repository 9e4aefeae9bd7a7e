import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { createEvents } from '../../src/core/events.ts'
import { freePort } from '../free-port.ts'
import { issuer, listen, listenGates, send, startService } from '../gate/stack.ts'
import { ask } from '../http-client.ts'
import { createRandom } from '../random.ts'
import { pipeWith } from './pipe.ts'
import { run, scratch, serving } from './run.ts'

const SERVICES = ['web', 'orders', 'billing', 'ledger', 'mail']
const accountOf = (service: string) => `${service}@acme-dev.iam.gserviceaccount.com`
const audienceOf = (service: string) => `http://${service}:8080`
const NOBODY = 'serviceAccount:nobody@acme-dev.iam.gserviceaccount.com'

interface Call {
  from: string
  to: string
}

/** Each service calls the next, so that the graph is connected, and a few others. */
function seededCalls(seed: number): Call[] {
  const random = createRandom(seed)
  const calls = SERVICES.flatMap((from, at) =>
    SERVICES.filter((to, other) => to !== from && (other === (at + 1) % SERVICES.length || random() < 0.15)).map(
      (to) => ({ from, to }),
    ),
  )
  return [...calls, ...calls.slice(0, 3)]
}

const tokens = new Map<string, string>()

/** A good token of the caller, for as many calls as a test makes. */
function tokenOf({ from, to }: Call): string {
  const token =
    tokens.get(`${from} ${to}`) ?? issuer.sign({ aud: audienceOf(to), email: accountOf(from), email_verified: true })
  tokens.set(`${from} ${to}`, token)
  return token
}

/** The status of a call with a good token of the caller. */
async function call(port: number, { from, to }: Call): Promise<number> {
  const token = tokenOf({ from, to })
  return (await send(port, ['Host', to, 'Authorization', `Bearer ${token}`])).status
}

let files = 0
const fileWith = (text: string, name = `grants-${++files}`) => {
  const path = join(scratch, name)
  writeFileSync(path, text)
  return path
}

/** A server before the services, whose gates admit nobody: every other one only reports. */
async function serverBefore(t: ExecutionContext, services: readonly string[]) {
  const { upstream } = await startService(t)
  const gates = services.map((host, at) => ({
    host,
    upstream,
    audience: [audienceOf(host)],
    invoker: [NOBODY],
    trust: [issuer.url],
    mode: at % 2 === 0 ? 'report' : 'enforce',
  }))
  const config = fileWith(JSON.stringify({ project: 'acme-dev', region: 'europe-west1', gates }))
  const argv = ['serve', '--source=local', '--port=0', '--gate-port=0', '--config', config]
  const { banner } = await serving<{ event: string; url: string; gateUrls: string[] }>(t, argv)
  const port = Number(new URL(banner.gateUrls[0] ?? '').port)
  return {
    url: banner.url,
    port,
    async called(times: number) {
      const calls = async () => JSON.parse((await ask(banner.url, '/_sidemint/requests')).body).totals.calls
      while ((await calls()) < times);
    },
  }
}

const LINE =
  /^gcloud run services add-iam-policy-binding (\S+) --member=(\S+) --role=(\S+) --region=europe-west1 --project=acme-dev$/

/** What IAM holds once these lines were typed: a policy for each service. */
function policiesOf(lines: readonly string[]): Map<string, { role: string; members: string[] }[]> {
  const policies = new Map<string, { role: string; members: string[] }[]>()
  for (const line of lines) {
    const [, service = '', member = '', role = ''] = LINE.exec(line) ?? []
    policies.set(service, [...(policies.get(service) ?? []), { role, members: [member] }])
  }
  return policies
}

test('the printed lines are exactly what the calls need: with them all pass, without any one a call is refused', async (t) => {
  const calls = seededCalls(20261126)
  const server = await serverBefore(t, SERVICES)
  for (const one of calls) t.is(await call(server.port, one), SERVICES.indexOf(one.to) % 2 === 0 ? 200 : 403)
  await server.called(calls.length)
  const { code, out, err } = await run(['grants', '--server', server.url])
  t.deepEqual([code, err], [0, ''])
  const lines = out.trimEnd().split('\n')
  t.is(lines.length, new Set(calls.map(({ from, to }) => `${from} ${to}`)).size)
  for (const line of lines) t.regex(line, LINE)

  const { upstream } = await startService(t)
  const statuses = async (granted: readonly string[]) => {
    const policies = policiesOf(granted)
    const gates = SERVICES.map((host) => {
      const policy = fileWith(JSON.stringify({ bindings: policies.get(host) ?? [], etag: 'x' }))
      return { host, upstream, audiences: [audienceOf(host)], invokers: [], policy }
    })
    const port = (await listenGates(t, gates, { events: createEvents() })).get(0) ?? 0
    return Promise.all(calls.map((one) => call(port, one)))
  }
  t.deepEqual(new Set(await statuses(lines)), new Set([200]))
  for (const line of lines) t.true((await statuses(lines.filter((one) => one !== line))).includes(403), line)
})

test('the same grants for Terraform and for sidemint.yaml; --service has those of one', async (t) => {
  const server = await serverBefore(t, ['orders', 'billing.internal', 'users'])
  for (const [from, to] of [
    ['web', 'orders'],
    ['a.b', 'orders'],
    ['a-b', 'orders'],
    ['web', 'users'],
  ] as const)
    await call(server.port, { from, to })
  await send(server.port, [
    'Host',
    'billing.internal',
    'Authorization',
    `Bearer ${issuer.sign({ aud: audienceOf('billing.internal'), email: 'ann@acme.com', email_verified: true })}`,
  ])
  await server.called(5)
  const grants = (...argv: string[]) => run(['grants', '--server', server.url, ...argv])
  const { out: terraform } = await grants('--format=terraform')
  const blocks = [...terraform.matchAll(/resource "google_cloud_run_v2_service_iam_member" "(\w+)" \{\n([^}]*)\}\n/g)]
  t.is(blocks.length, 5)
  t.is(new Set(blocks.map(([, label]) => label)).size, 5, 'labels that would be one are told apart')
  t.is(
    blocks[0]?.[2],
    `  project  = "acme-dev"
  location = "europe-west1"
  name     = "orders"
  role     = "roles/run.invoker"
  member   = "serviceAccount:${accountOf('web')}"
`,
  )
  const { out } = await grants('--format=sidemint', '--service=orders')
  t.regex(out, /^# Each entry's `invoker:` goes into the entry of that host in your own `gates:`\.\n/)
  t.deepEqual(parse(out), {
    gates: [{ host: 'orders', invoker: ['web', 'a.b', 'a-b'].map((name) => `serviceAccount:${accountOf(name)}`) }],
  })
  t.regex((await grants('--service=billing.internal')).out, /^gcloud \S+ \S+ \S+ SERVICE .* # billing\.internal\n$/)
  t.is((await grants('--format=xml')).code, 2)
})

test('--check: a missing grant is exit code 1, one that was never used a note', async (t) => {
  const server = await serverBefore(t, ['orders', 'users'])
  for (const to of ['orders', 'users']) await call(server.port, { from: 'web', to })
  await server.called(2)
  const check = (path: string, ...argv: string[]) => run(['grants', '--server', server.url, '--check', path, ...argv])
  const web = `serviceAccount:${accountOf('web')}`
  const policy = (...members: string[]) =>
    `bindings:\n- role: roles/run.invoker\n  members: ${JSON.stringify(members)}\n`

  t.deepEqual(await check(fileWith(policy(web), 'orders.yaml'), '--service=orders'), { code: 0, out: '', err: '' })
  t.is((await check(pipeWith(t, policy(web)), '--service=orders')).code, 0, 'as of <(gcloud …)')
  const unused = await check(fileWith(policy(web, 'user:ann@acme.com'), 'users.yaml'), '--service=users')
  t.deepEqual([unused.code, unused.out], [0, 'never used in this run:\nusers user:ann@acme.com\n'])
  const missing = await check(fileWith(policy('domain:acme.com')), '--service=orders', '--format=sidemint')
  t.is(missing.code, 1)
  t.regex(
    missing.out,
    /^missing in \S+:\n# [^\n]*\ngates:\n {2}- host: orders\n.*web@.*\nnever used in this run:\norders domain:acme\.com\n$/s,
  )

  const gate = { upstream: 'http://127.0.0.1:1', audience: ['http://a'] }
  const settings = (users: string[], more: object = {}) =>
    fileWith(
      JSON.stringify({
        gates: [
          { host: 'orders', ...gate, invoker: [], policy: fileWith(policy(web)) },
          { host: 'users', ...gate, invoker: users, ...more },
        ],
      }),
    )
  t.is((await check(settings([web]))).code, 0)
  t.is((await check(settings(['group:apps@acme.com'], { group: [`apps@acme.com=${web}`] }))).code, 0)
  t.is((await check(settings(['domain:acme-dev.iam.gserviceaccount.com']))).code, 0)
  const other = await check(settings([NOBODY]))
  t.is(other.code, 1)
  t.regex(other.out, /^missing in \S+:\ngcloud \S+ \S+ \S+ users --member=serviceAccount:web@.*\nnever used/)
  t.regex((await check(fileWith(policy(web)))).err, /--service: say whose policy \S+ is: orders, users/)
  const bad: [string, RegExp][] = [
    [join(scratch, 'none.json'), /--check: \S+none\.json: .*ENOENT/],
    [fileWith('{'), /--check: \S+: it is neither JSON nor YAML/],
    [fileWith('gate: 1'), /gate: unknown setting \(did you mean gates\?\)/],
    [fileWith('bindings: 1'), /--check: the policy \S+ cannot be used/],
  ]
  for (const [path, said] of bad) {
    const { code, out, err } = await check(path, '--service=orders')
    t.deepEqual([code, out], [2, ''])
    t.regex(err, said)
  }
})

test('--check takes what grants itself prints, and of a policy asks for its own service only', async (t) => {
  const server = await serverBefore(t, ['orders', 'users'])
  for (const to of ['orders', 'users']) await call(server.port, { from: 'web', to })
  await server.called(2)
  const grants = (...argv: string[]) => run(['grants', '--server', server.url, ...argv])
  const printed = fileWith((await grants('--format=sidemint')).out)
  t.deepEqual(await grants('--check', printed), { code: 0, out: '', err: '' })
  const policy = (...members: string[]) => JSON.stringify({ bindings: [{ role: 'roles/run.invoker', members }] })
  const ofUsers = fileWith(policy(`serviceAccount:${accountOf('web')}`), 'users.json')
  t.deepEqual(await grants('--check', ofUsers), { code: 0, out: '', err: '' }, 'orders has a policy of its own')
  t.is((await grants('--check', ofUsers, '--service=USERS:8080')).code, 0, 'a service by its Host')

  const group = await grants('--check', fileWith(policy('group:apps@acme.com')), '--service=users')
  t.is(group.code, 1)
  t.notRegex(group.out, /never used/)
  t.regex(group.err, /^sidemint: \S+ lets group:apps@acme\.com in, and who is in it is not known here\. Fix: /)

  for (const nothing of ['', 'project: acme-dev\n', '{"gates":[]}']) {
    const { code, out, err } = await grants('--check', fileWith(nothing))
    t.deepEqual([code, out], [2, ''], nothing)
    t.regex(err, /--check: \S+ holds neither a policy nor gates/)
  }
})

test('where nothing was called, or nothing answers, that is said', async (t) => {
  const server = await serverBefore(t, ['orders'])
  const { code, out, err } = await run(['grants', '--server', server.url])
  t.deepEqual([code, out], [0, ''])
  t.regex(err, /^sidemint: no call through a gate of this server has needed a grant yet\. Fix: /)
  t.regex((await run(['grants', `--server=http://127.0.0.1:${await freePort()}`])).err, /NO_SERVER: .*ECONNREFUSED/)
  const other = createServer((_, res) => void res.writeHead(404).end('no'))
  const port = await listen(other)
  t.teardown(() => void other.close())
  t.regex((await run(['grants', `--server=http://127.0.0.1:${port}`])).err, /NO_SERVER: .*something else listens there/)
})

for (const command of ['grants', 'explain']) {
  test(`${command}: what answers and is not a sidemint is named so`, async (t) => {
    const bodies = ['<html>hello</html>', '{"x":1}', '[]', 'null']
    for (const body of bodies) {
      const other = createServer((_, res) => void res.writeHead(200, { 'Content-Type': 'application/json' }).end(body))
      const port = await listen(other)
      t.teardown(() => void other.close())
      const { code, out, err } = await run([command, `--server=http://127.0.0.1:${port}`], {}, 'a.b.c')
      t.deepEqual([code, out], [1, ''])
      t.regex(err, /NO_SERVER: no metadata server answers at http:\S+ \(something else listens there\)/, body)
    }
    const cutOff = createServer((_, res) => {
      res.writeHead(200, { 'Metadata-Flavor': 'Google', 'Content-Length': 20 }).write('{')
      setImmediate(() => res.destroy())
    })
    const port = await listen(cutOff)
    t.teardown(() => void cutOff.close())
    const { code, err } = await run([command, `--server=http://127.0.0.1:${port}`], {}, 'a.b.c')
    t.is(code, 1)
    t.regex(err, /NO_SERVER: no metadata server answers at http:\S+ \(UND_ERR_SOCKET\)/)
  })
}

test('--service that no gate has is misuse: a check of it would always be green', async (t) => {
  const server = await serverBefore(t, ['orders', 'billing'])
  await call(server.port, { from: 'web', to: 'billing' })
  await server.called(1)
  const policy = fileWith('bindings: []\n')
  for (const argv of [['--service=billng', '--check', policy], ['--service=billng']]) {
    const { code, out, err } = await run(['grants', '--server', server.url, ...argv])
    t.deepEqual([code, out], [2, ''])
    t.regex(err, /--service: no gate of http:\S+ has the host billng; they have orders, billing/)
  }
  const { code, err } = await run(['grants', '--server', server.url, '--service=orders', '--check', policy])
  t.is(code, 0)
  t.regex(err, /has needed a grant yet/)
})
