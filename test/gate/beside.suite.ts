/** Tokens beside traffic: one process answers both, and who asks for a token does not wait for the calls. */

import { type ChildProcess, spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { type LogRecord, startCli } from '../command-line.ts'
import { ask, DEFAULT_ACCOUNT, FLAVOR } from '../http-client.ts'
import { scratch } from './process.ts'

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const AUDIENCE = 'http://billing:8080'
const GIGABYTE = 1024 ** 3
const SECONDS = 8
const TOKENS_PER_SECOND = 100
const CALLS_PER_SECOND = 1_000
/** Beside five times what a busy machine makes an idle server wait at the same time. */
const MOST_MS = 50

interface Asked {
  answered: number
  failed: number
  perSecond: number
  medianMs: number
  p99Ms: number
  slowestMs: number
}

/** The first line that a process of traffic.mjs says. */
async function traffic(t: ExecutionContext, ...argv: (string | number)[]): Promise<unknown> {
  const file = join(import.meta.dirname, 'traffic.mjs')
  const child: ChildProcess = spawn(process.execPath, [file, ...argv.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill())
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) return JSON.parse(line)
  throw new Error(`${argv[0]} said nothing`)
}

test('while a gate takes 1 GB and 1,000 calls a second, cached tokens come within 50 ms', async (t) => {
  t.timeout(180_000)
  const upstream = `http://127.0.0.1:${await traffic(t, 'service')}`
  const idle = (await traffic(t, 'service')) as number
  const config = join(scratch, 'beside.yaml')
  const invoker = [`serviceAccount:${ORDERS}`]
  const gates = [
    { host: 'billing', upstream, audience: [AUDIENCE], invoker },
    { host: 'shop', upstream, invoker: ['allUsers'] },
  ]
  writeFileSync(config, JSON.stringify({ serviceAccount: ORDERS, gates }))
  const flags = ['--source=local', '--port=0', '--gate-port=0', '--config', config]
  const { banner } = await startCli<LogRecord & { url: string; gateUrls: string[] }>(t, ['serve', ...flags])
  const path = `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`
  const { body: token } = await ask(banner.url, path)
  const gate = new URL(banner.gateUrls[0] ?? '').port
  const { port } = new URL(banner.url)
  const called = JSON.stringify({ Host: 'billing', Authorization: `Bearer ${token}` })
  const [uploaded, calls, tokens, bare] = (await Promise.all([
    traffic(t, 'upload', gate, GIGABYTE),
    traffic(t, 'ask', gate, CALLS_PER_SECOND, SECONDS, '/', called),
    traffic(t, 'ask', port, TOKENS_PER_SECOND, SECONDS, path, JSON.stringify(FLAVOR)),
    traffic(t, 'ask', idle, TOKENS_PER_SECOND, SECONDS, '/', '{}'),
  ])) as [unknown, Asked, Asked, Asked]
  t.log(`tokens ${JSON.stringify(tokens)}`)
  t.log(`calls ${JSON.stringify(calls)}`)
  t.log(`an idle server ${JSON.stringify(bare)}`)
  t.deepEqual(uploaded, { status: 200, arrived: GIGABYTE })
  t.is(calls.failed, 0)
  t.is(tokens.failed, 0)
  // More calls than the machine can take queue without end, and tokens behind them: 186 ms at 855 a second, 43 at 999.
  if (calls.perSecond < 0.95 * CALLS_PER_SECOND)
    return t.log(`not judged: this machine takes ${calls.perSecond} calls a second, not ${CALLS_PER_SECOND}`)
  t.true(tokens.p99Ms < MOST_MS + 5 * bare.p99Ms, `${tokens.p99Ms} ms, an idle server ${bare.p99Ms} ms`)
})
