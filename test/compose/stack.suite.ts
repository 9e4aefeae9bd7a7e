/** docker-compose.yml as it comes: Cloud Run code at the metadata server's own address. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import {
  type Answer,
  createStack,
  docker,
  evaluate,
  googleVariables,
  healthyAfterMs,
  inspect,
  ROOT,
  startEngine,
  timed,
} from './docker.ts'

const SERVICES = ['orders', 'billing-app', 'ledger-app', 'public-app']
const ISSUER = 'https://accounts.google.com'
const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`

const PROJECT = 'sidemint-test'
const stack = createStack(PROJECT, { files: ['docker-compose.yml'] })
let routeBefore = ''
let firstHealthyAfterMs = 0

/** By which way the host reaches the address that is the metadata server on a cloud VM. */
function hostRoute(): string {
  return execFileSync('ip', ['route', 'get', '169.254.169.254'], { encoding: 'utf8' })
}

const addressOf = async (service: string) =>
  (await inspect(await stack.container(service))).NetworkSettings.Networks[`${PROJECT}_metadata`]?.IPAddress ?? ''

async function startTimes(services: readonly string[]): Promise<string[]> {
  return Promise.all(services.map(async (service) => (await inspect(await stack.container(service))).State.StartedAt))
}

/** Of the key that signs: it is published first, before the next one, which is kept in no file until it signs. */
const keyId = () =>
  stack.evaluate(
    'orders',
    `
    const { keys } = await (await fetch('http://169.254.169.254/oauth2/v3/certs')).json()
    console.log(JSON.stringify(keys[0].kid))`,
  )

test.before('docker compose up --build --wait', async (t) => {
  await startEngine()
  await stack.down()
  routeBefore = hostRoute()
  t.log(`up --build --wait sidemint: ${await timed(stack.compose('up', '--build', '--wait', 'sidemint'))} ms`)
  // Read now: the engine keeps the last five checks.
  firstHealthyAfterMs = healthyAfterMs(await inspect(await stack.container('sidemint')))
  t.log(`up --build --wait: ${await timed(stack.compose('up', '--build', '--wait'))} ms`)
})

test.after.always(() => stack.down())

test.serial('orders shows who called at each hop: orders, then billing', async (t) => {
  const response = await fetch('http://localhost:8080/')
  t.is(response.status, 200)
  const { calls } = (await response.json()) as Answer
  const { billing, public: open } = calls
  t.is(billing?.caller, at('orders'))
  t.like(billing?.claims, { iss: ISSUER, aud: 'http://billing:8080', email: at('orders'), email_verified: true })
  t.regex(String(billing?.claims?.sub), /^\d{21}$/)
  const { ledger } = billing?.calls ?? {}
  t.is(ledger?.caller, at('billing'))
  t.like(ledger?.claims, { iss: ISSUER, aud: 'http://ledger:8080', email: at('billing') })
  t.like(open, { status: 200, caller: at('orders'), claims: { iss: ISSUER, aud: 'http://public:8080' } })
  t.is(calls.ledger?.status, 403, 'on purpose')
})

test.serial(
  'the page is published to this host, and shows a call that was admitted and one that is refused on purpose',
  async (t) => {
    const page = await fetch('http://127.0.0.1:16925/_sidemint/')
    t.is(page.status, 200)
    t.regex(await page.text(), /<script src="\/_sidemint\/page\.js"/)
    const { hops } = (await (await fetch('http://127.0.0.1:16925/_sidemint/requests')).json()) as { hops: object[] }
    const calls = hops.map((hop) => {
      const { caller, service, status, code } = hop as Record<string, string>
      return `${caller} ${service} ${status} ${code}`
    })
    t.true(
      calls.includes('orders billing:8080 200 INVOKER') || calls.includes('orders billing 200 INVOKER'),
      calls.join('\n'),
    )
    t.true(
      calls.some((call) => /^orders ledger\S* 403 NOT_AN_INVOKER$/.test(call)),
      calls.join('\n'),
    )
  },
)

const statusOf = async (...asked: Parameters<typeof stack.call>) => (await stack.call(...asked)).status

test.serial('the gate refuses as Cloud Run does', async (t) => {
  const LEDGER = 'http://ledger:8080'
  t.is(await statusOf('billing-app', LEDGER, LEDGER), 200)
  t.is(await statusOf('orders', LEDGER, LEDGER), 403, 'who is no invoker')
  t.is(await statusOf('public-app', LEDGER, LEDGER), 403, 'who is no invoker')
  t.is(await statusOf('billing-app', LEDGER, 'http://billing:8080'), 401, 'a token for another service')
  t.is(await statusOf('billing-app', LEDGER), 403, 'no token')
})

test.serial('the public service takes all, and verifies for itself whose token it is', async (t) => {
  const PUBLIC = 'http://public:8080'
  t.is(await statusOf('ledger-app', PUBLIC), 200)
  t.is(await statusOf('ledger-app', PUBLIC, PUBLIC), 200)
  t.is(await statusOf('ledger-app', PUBLIC, 'http://billing:8080'), 401, 'a token for another service')
})

for (const service of SERVICES) {
  test.serial(`${service} has no Google variable and no word of sidemint`, async (t) => {
    t.deepEqual(googleVariables(await inspect(await stack.container(service))), [])
    const directory = join(ROOT, 'examples/compose', service === 'public-app' ? 'public' : 'service')
    const sources = readdirSync(directory).filter((file) => file !== 'node_modules')
    t.true(sources.includes('index.js'))
    for (const file of sources) t.notRegex(readFileSync(join(directory, file), 'utf8'), /sidemint/i, file)
  })
}

test.serial('the server is there by address, by name and by name with the final dot', async (t) => {
  for (const host of ['169.254.169.254', 'metadata.google.internal', 'metadata.google.internal.']) {
    const answer = await stack.evaluate(
      'orders',
      `
      const response = await fetch('http://${host}/')
      console.log(JSON.stringify([response.status, response.headers.get('metadata-flavor')]))`,
    )
    t.deepEqual(answer, [200, 'Google'], host)
  }
})

test.serial('sidemint was healthy within 5 s of its start', (t) => {
  t.log(`healthy after ${firstHealthyAfterMs} ms`)
  t.true(firstHealthyAfterMs < 5_000)
})

test.serial('sidemint is not root, its root is read-only, and its key is readable by itself alone', async (t) => {
  const report = await evaluate(
    await stack.container('sidemint'),
    `import { statSync, writeFileSync } from 'node:fs'
    const writes = (path) => { try { writeFileSync(path, ''); return true } catch (error) { return error.code } }
    const { uid, mode } = statSync('/var/lib/sidemint/key.pem')
    console.log(JSON.stringify({
      uid: process.getuid(), root: writes('/x'), settings: writes('/etc/sidemint/x'), owner: uid, mode: (mode & 0o777).toString(8),
    }))`,
  )
  t.deepEqual(JSON.parse(report), { uid: 65532, root: 'EROFS', settings: 'EROFS', owner: 65532, mode: '600' })
})

test.serial('three replicas of orders are orders each', async (t) => {
  const scaled = createStack(PROJECT, { files: ['docker-compose.yml', 'test/compose/scaled.yaml'] })
  await scaled.compose('up', '--detach', '--wait', '--scale', 'orders=3')
  t.is((await scaled.container('orders')).split('\n').length, 3)
  for (const index of ['1', '2', '3']) {
    const response = await fetch(`http://${await scaled.compose('port', '--index', index, 'orders', '8080')}/`)
    t.is(response.status, 200)
    const { billing } = ((await response.json()) as Answer).calls
    t.is(billing?.caller, at('orders'))
    t.is(billing?.calls.ledger?.caller, at('billing'))
  }
  await stack.compose('up', '--detach', '--wait', '--scale', 'orders=1')
})

test.serial('billing and ledger keep their accounts when a restart swaps their addresses', async (t) => {
  const addresses = () => Promise.all(['billing-app', 'ledger-app'].map((service) => addressOf(service)))
  await stack.restartInOrder('billing-app', 'ledger-app')
  const before = await addresses()
  await stack.restartInOrder('ledger-app', 'billing-app')
  await stack.compose('up', '--detach', '--wait', '--no-recreate')
  const after = await addresses()
  t.deepEqual(after, before.toReversed())
  const { status, body } = await stack.askOrders()
  t.is(status, 200)
  t.is(body.calls.billing?.calls.ledger?.caller, at('billing'))
  t.is((await stack.askToken('billing-app', 'https://b.example')).email, at('billing'))
  t.is((await stack.askToken('ledger-app', 'https://b.example')).email, at('ledger'))
})

test.serial(
  'once sidemint is there again, made anew, the next call succeeds, with nothing else restarted',
  async (t) => {
    const others = await startTimes(SERVICES)
    const key = await keyId()
    const containers = new Set<string>()
    for (let round = 0; round < 2; round += 1) {
      containers.add(await stack.container('sidemint'))
      await stack.compose('up', '--detach', '--wait', '--no-deps', '--force-recreate', 'sidemint')
      const { status, body } = await stack.askOrders()
      t.is(status, 200, JSON.stringify(body))
      t.is(body.calls.billing?.caller, at('orders'))
    }
    t.is(containers.size, 2)
    t.deepEqual(await startTimes(SERVICES), others)
    t.is(await keyId(), key)
  },
)

test.serial('it also succeeds when nobody has asked for the keys yet', async (t) => {
  await stack.compose('restart', '--timeout', '2', 'public-app')
  await stack.compose('up', '--detach', '--wait', '--no-recreate')
  await stack.compose('up', '--detach', '--wait', '--no-deps', '--force-recreate', 'sidemint')
  const { status, body } = await stack.askOrders()
  t.is(status, 200, JSON.stringify(body))
})

test.serial('up --wait sidemint takes less than 5 s, and the key is the one from before down', async (t) => {
  const key = await keyId()
  await stack.compose('down', '--timeout', '2')
  const sidemintMs = await timed(stack.compose('up', '--wait', 'sidemint'))
  const othersMs = await timed(stack.compose('up', '--wait'))
  t.log(`up --wait of what is built: sidemint ${sidemintMs} ms, then the others ${othersMs} ms`)
  t.true(sidemintMs < 5_000)
  t.is(await keyId(), key)
})

test.serial('a person calls it by the lines of docs/front-door.md', async (t) => {
  const blocks = [...readFileSync(join(ROOT, 'docs/front-door.md'), 'utf8').matchAll(/```sh[^\n]*\n([\s\S]*?)```/g)]
  const lines = blocks.map(([, text]) => text).find((text) => text?.includes('sidemint curl --user'))
  const script = `set -e\nsidemint() { '${process.execPath}' '${join(ROOT, 'src/cli.ts')}' "$@"; }\n${lines}`
  const cwd = mkdtempSync(join(tmpdir(), 'sidemint-readme-'))
  t.teardown(() => rmSync(cwd, { recursive: true, force: true }))
  const env = { ...process.env, COMPOSE_FILE: join(ROOT, 'docker-compose.yml'), COMPOSE_PROJECT_NAME: PROJECT }
  const out = execFileSync('sh', ['-c', script], { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const [answer = '', token = ''] = out.split(/^(?=ey)/m)
  t.is(JSON.parse(answer).caller, 'ann@acme.com')
  const keys = await stack.evaluate(
    'orders',
    `
    const response = await fetch('http://169.254.169.254/oauth2/v3/certs')
    console.log(JSON.stringify(await response.json()))`,
  )
  const { payload } = await jwtVerify(token.trim(), createLocalJWKSet(keys as JSONWebKeySet), { issuer: ISSUER })
  t.is(payload.email, 'ann@acme.com')
})

test.serial('SIGTERM stops sidemint with exit code 0', async (t) => {
  await stack.compose('stop', 'sidemint')
  t.is((await inspect(await stack.container('sidemint'))).State.ExitCode, 0)
})

test.serial("the host's route to 169.254.169.254 is the same before, during and after", async (t) => {
  t.is(hostRoute(), routeBefore)
  await stack.down()
  t.is(hostRoute(), routeBefore)
  t.is(await docker('volume', 'ls', '--quiet', '--filter', 'name=sidemint-test_'), '')
})
