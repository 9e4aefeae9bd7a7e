/** docker-compose.portable.yml, which is up as often as one likes. */

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { createStack, inspect, ROOT, startEngine, timed } from './docker.ts'

const FILE = 'docker-compose.portable.yml'
const stacks = ['sidemint-test-a', 'sidemint-test-b'].map((project) => createStack(project, { files: [FILE] }))

test.before('two stacks at once', async (t) => {
  await startEngine()
  for (const stack of stacks) await stack.down()
  const up = Promise.all(stacks.map((stack) => stack.compose('up', '--build', '--wait')))
  t.log(`up --build --wait, twice at once: ${await timed(up)} ms`)
})

test.after.always(async () => {
  for (const stack of stacks) await stack.down()
})

test.serial('the block of variables is what sidemint env --format compose prints', (t) => {
  const printed = execFileSync(process.execPath, ['src/cli.ts', 'env', '--format', 'compose'], { cwd: ROOT })
  const { 'x-google': block } = parse(readFileSync(join(ROOT, FILE), 'utf8'))
  t.deepEqual(block, parse(printed.toString()))
})

test.serial('in each stack orders shows who called at each hop', async (t) => {
  for (const stack of stacks) {
    const { status, body } = await stack.askOrders()
    t.is(status, 200, JSON.stringify(body))
    const { billing, public: open } = body.calls
    t.is(billing?.caller, 'orders@acme-dev.iam.gserviceaccount.com')
    t.is(billing?.calls.ledger?.caller, 'billing@acme-dev.iam.gserviceaccount.com')
    t.is(open?.claims?.iss, 'https://accounts.google.com')
  }
  const logs = await Promise.all(stacks.map((stack) => stack.compose('logs', '--no-log-prefix', 'sidemint')))
  for (const log of logs) t.is(log.match(/identity 200 /g)?.length, 3)
})

test.serial(
  'once sidemint is there again, made anew, the next call succeeds, with nothing else restarted',
  async (t) => {
    for (const stack of stacks) {
      const startedAt = async () => (await inspect(await stack.container('orders'))).State.StartedAt
      const before = await startedAt()
      await stack.compose('up', '--detach', '--wait', '--no-deps', '--force-recreate', 'sidemint')
      t.is((await stack.askOrders()).status, 200)
      t.is(await startedAt(), before)
    }
  },
)
