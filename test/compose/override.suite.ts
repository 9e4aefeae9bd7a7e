/** examples/compose/override: sidemint under a stack whose own compose.yaml stays as it is, without gates and with. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { createStack, googleVariables, inspect, ROOT, startEngine, timed } from './docker.ts'

const FOLDER = 'examples/compose/override'
const PROJECT = 'sidemint-test-override'
const OWN = `${FOLDER}/compose.yaml`
const OVERRIDE = `${FOLDER}/compose.override.yaml`
const GATES = `${FOLDER}/compose.gates.yaml`

const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`
const plain = createStack(PROJECT, { files: [OWN, OVERRIDE] })
const gated = createStack(PROJECT, { files: [OWN, OVERRIDE, GATES] })

test.before(async () => {
  await startEngine()
  await gated.down()
})

test.after.always(() => gated.down())

/** Lines of the files that say something. */
const linesOf = (...files: string[]) =>
  files
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('')
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line)).length

test('it takes 20 lines at most beside five services, and 50 with their gates', (t) => {
  t.notRegex(readFileSync(join(ROOT, OWN), 'utf8').replace(/^#.*/gm, ''), /sidemint|metadata/)
  t.true(linesOf(OVERRIDE) <= 20)
  t.true(linesOf(OVERRIDE, GATES, `${FOLDER}/sidemint/sidemint.yaml`) <= 50)
})

test.serial('without gates each service of the stack gets tokens, and has no variable for it', async (t) => {
  t.log(`up --build --wait: ${await timed(plain.compose('up', '--build', '--wait'))} ms`)
  t.deepEqual(googleVariables(await inspect(await plain.container('orders'))), [])
  for (const service of ['web', 'catalog']) {
    const { status, body } = await plain.askToken(service, 'https://a.example')
    t.is(status, 200, body)
  }
})

test.serial('with gates a call goes through the one of its name, each hop as its own account', async (t) => {
  t.log(`up --wait: ${await timed(gated.compose('up', '--wait'))} ms`)
  const answer = await gated.call('web', 'http://orders:8080', 'http://orders:8080')
  t.is(answer.status, 200, answer.body)
  const orders = JSON.parse(answer.body)
  t.is(orders.caller, at('web'))
  t.is(orders.calls.billing.caller, at('orders'))
  t.is(orders.calls.billing.calls.ledger.caller, at('billing'))
  t.is((await gated.call('web', 'http://orders:8080', 'http://billing:8080')).status, 401)
  t.is((await gated.call('orders', 'http://billing:8080')).status, 403)
  const log = await gated.compose('logs', '--no-log-prefix', 'sidemint')
  t.regex(log, /gate web -> orders GET \/ admitted as web@acme-dev for http:\/\/orders:8080 INVOKER, answered 200/)
  t.regex(log, /gate orders -> billing GET \/ refused 403 TOKEN_MISSING/)
})

test.serial('a caller without the link reaches the service itself', async (t) => {
  t.is((await gated.call('catalog', 'http://orders:8080')).status, 200)
})

test.serial('the names hold when sidemint is made anew, with nothing else restarted', async (t) => {
  const { StartedAt } = (await inspect(await gated.container('web'))).State
  await gated.compose('up', '--detach', '--wait', '--no-deps', '--force-recreate', 'sidemint')
  const { status, body } = await gated.call('web', 'http://orders:8080', 'http://orders:8080')
  t.is(status, 200, body)
  t.is(JSON.parse(body).caller, at('web'))
  t.is((await inspect(await gated.container('web'))).State.StartedAt, StartedAt)
})
