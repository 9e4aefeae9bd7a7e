/** docker-compose.yml as it comes: Cloud Run code at the metadata server's own address. */

import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { createStack, docker, evaluate, healthyAfterMs, inspect, ROOT, startEngine, timed } from './docker.ts'

const SERVICES = ['orders', 'billing']
const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'

const stack = createStack('sidemint-test', 'docker-compose.yml')
let routeBefore = ''

/** By which way the host reaches the address that is the metadata server on a cloud VM. */
function hostRoute(): string {
  return execFileSync('ip', ['route', 'get', '169.254.169.254'], { encoding: 'utf8' })
}

async function startTimes(services: readonly string[]): Promise<string[]> {
  return Promise.all(services.map(async (service) => (await inspect(await stack.container(service))).State.StartedAt))
}

const fetchInOrders = async (script: string) =>
  JSON.parse(await evaluate(await stack.container('orders'), script, 'node'))
const keyIds = () =>
  fetchInOrders(`
    const { keys } = await (await fetch('http://169.254.169.254/oauth2/v3/certs')).json()
    console.log(JSON.stringify(keys.map(({ kid }) => kid)))`)

test.before('docker compose up --build --wait', async (t) => {
  await startEngine()
  await stack.down()
  routeBefore = hostRoute()
  t.log(`up --build --wait: ${await timed(stack.compose('up', '--build', '--wait'))} ms`)
})

test.after.always(() => stack.down())

test.serial('orders shows the claims that billing verified', async (t) => {
  const response = await fetch('http://localhost:8080/')
  t.is(response.status, 200)
  const { billing } = (await response.json()) as { billing: { caller: string; claims: Record<string, unknown> } }
  t.is(billing.caller, ORDERS)
  t.like(billing.claims, {
    iss: 'http://metadata.google.internal',
    aud: 'http://billing:8080',
    email: ORDERS,
    email_verified: true,
  })
  t.regex(String(billing.claims.sub), /^\d{21}$/)
})

test.serial('billing lets nobody in without a valid token for it', async (t) => {
  const call = (authorization: string) =>
    fetchInOrders(`
      const { status } = await fetch('http://billing:8080/', { headers: ${authorization} })
      console.log(status)`)
  const forOthers = `{ authorization: 'Bearer ' + await (await fetch(
    'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/identity?audience=https://a.example',
    { headers: { 'Metadata-Flavor': 'Google' } })).text() }`
  t.is(await call('{}'), 401)
  t.is(await call(forOthers), 401)
})

for (const service of SERVICES) {
  test.serial(`${service} has no Google variable and no word of sidemint`, async (t) => {
    const { Config } = await inspect(await stack.container(service))
    t.deepEqual(
      Config.Env.filter((variable) =>
        /^(GCE_|GOOGLE_|GCLOUD_|CLOUDSDK_|METADATA_|K_|SIDEMINT_|NO_PROXY)/i.test(variable),
      ),
      [],
    )
    const directory = join(ROOT, 'examples/compose', service)
    const sources = readdirSync(directory).filter((file) => file !== 'node_modules')
    t.true(sources.includes('index.js'))
    for (const file of sources) t.notRegex(readFileSync(join(directory, file), 'utf8'), /sidemint/i, file)
  })
}

test.serial('the server is there by address, by name and by name with the final dot', async (t) => {
  for (const host of ['169.254.169.254', 'metadata.google.internal', 'metadata.google.internal.']) {
    const answer = await fetchInOrders(`
      const response = await fetch('http://${host}/')
      console.log(JSON.stringify([response.status, response.headers.get('metadata-flavor')]))`)
    t.deepEqual(answer, [200, 'Google'], host)
  }
})

test.serial('sidemint was healthy within 5 s of its start', async (t) => {
  const afterMs = healthyAfterMs(await inspect(await stack.container('sidemint')))
  t.log(`healthy after ${afterMs} ms`)
  t.true(afterMs < 5_000)
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

test.serial('after sidemint was made anew the next call succeeds, with nothing else restarted', async (t) => {
  const others = await startTimes(SERVICES)
  const keys = await keyIds()
  const containers = new Set<string>()
  for (let round = 0; round < 3; round += 1) {
    containers.add(await stack.container('sidemint'))
    await stack.compose('up', '--detach', '--force-recreate', 'sidemint')
    const { status, body } = await stack.askOrders()
    t.is(status, 200, body.error)
    t.is(body.billing.caller, ORDERS)
    await stack.compose('up', '--detach', '--wait', '--no-recreate')
  }
  t.is(containers.size, 3)
  t.deepEqual(await startTimes(SERVICES), others)
  t.deepEqual(await keyIds(), keys)
})

test.serial('it also succeeds when billing has not asked for the keys yet', async (t) => {
  await stack.compose('restart', '--timeout', '2', 'billing')
  await stack.compose('up', '--detach', '--wait', '--no-recreate')
  await stack.compose('up', '--detach', '--force-recreate', 'sidemint')
  const { status, body } = await stack.askOrders()
  t.is(status, 200, body.error)
})

test.serial('up --wait sidemint takes less than 5 s, and the key is the one from before down', async (t) => {
  const keys = await keyIds()
  await stack.compose('down', '--timeout', '2')
  const sidemintMs = await timed(stack.compose('up', '--wait', 'sidemint'))
  const othersMs = await timed(stack.compose('up', '--wait'))
  t.log(`up --wait of what is built: sidemint ${sidemintMs} ms, then the others ${othersMs} ms`)
  t.true(sidemintMs < 5_000)
  t.deepEqual(await keyIds(), keys)
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
