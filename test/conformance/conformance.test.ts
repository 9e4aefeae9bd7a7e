/** The rules against servers of ours. Each against a server with a fault that it is for: conformance.suite.ts. */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import test from 'ava'
import { FAULTS } from './faults.ts'
import { KINDS, type Kind } from './kinds.ts'
import { urlOf, useServers } from './ours.ts'
import { findsNoToken, run } from './output.ts'
import { PAPER } from './paper.ts'
import { toPaper } from './report.ts'
import { createReport, NAMES, type Report } from './run.ts'
import { createServer } from './server.ts'

useServers()

const reports = new Map<string, Promise<Report>>()

/** A server's report, which is made once however often it is read or printed: it takes some five hundred requests. */
function reportOf(url: string): Promise<Report> {
  const report = reports.get(url) ?? createReport(url)
  reports.set(url, report)
  return report
}

test('no rule fails with ours, what we do otherwise is really so, and docs/conformance.md says it', async (t) => {
  const ours: Partial<Record<Kind, Report>> = {}
  for (const kind of Object.keys(KINDS) as Kind[]) ours[kind] = await reportOf(urlOf(kind))
  for (const { rules } of Object.values(ours)) {
    t.deepEqual(
      rules.filter(({ result }) => result === 'failed'),
      [],
    )
  }
  const { otherwise = [] } = ours['Cloud Run'] ?? {}
  t.deepEqual(
    otherwise.filter(({ seen }) => seen === false),
    [],
  )
  t.true(otherwise.filter(({ seen }) => seen).length > 10)
  t.is(toPaper(ours), readFileSync(PAPER, 'utf8'), 'npm run readme writes it')
})

test('there is a fault for each rule', (t) => {
  t.deepEqual([...new Set(FAULTS.flatMap(({ finds }) => finds))].sort(), [...NAMES])
})

test('the command says how each rule did and what we do otherwise, as text and as JSON', async (t) => {
  const [text, json] = await Promise.all([run([urlOf('a VM')], reportOf), run([urlOf('a VM'), '--json'], reportOf)])
  t.like(text, { code: 0, err: '' })
  for (const name of NAMES) t.true(text.out.includes(` ${name}: `), name)
  t.regex(text.out, /otherwise \(here too\) {2}A public name as Host is a 403/)
  t.regex(text.out, /\d+ rules hold, 0 failed, \d+ do not apply at http:/)
  t.is(json.code, 0)
  const report = JSON.parse(json.out)
  t.like(report, { url: urlOf('a VM'), ok: true })
  t.is(report.rules.length, NAMES.length)
})

test('with a failed rule the exit code is 1, and no token is in what it prints, wherever the server answers one', async (t) => {
  await findsNoToken(t, ['access-token', 'etag', 'headers', 'identity', 'project'])
})

test('--help prints how it is used', async (t) => {
  const { code, out } = await run(['--help'])
  t.is(code, 0)
  t.regex(out, /^Usage: npm run conformance -- URL/)
})

test('a URL that cannot be asked is misuse, and a server that does not answer a failure', async (t) => {
  for (const argv of [
    [],
    ['a', 'b'],
    ['https://127.0.0.1'],
    ['http://127.0.0.1/x'],
    ['127.0.0.1'],
    ['http://a', '--no'],
  ]) {
    const { code, out, err } = await run(argv)
    t.like({ code, out }, { code: 2, out: '' }, argv.join(' '))
    t.regex(err, /^conformance: .*\nUsage: npm run conformance -- URL \[--json\]\n/)
  }
  const { code, out, err } = await run(['http://127.0.0.1:1'])
  t.like({ code, out }, { code: 1, out: '' })
  t.regex(err, /^conformance: http:\/\/127\.0\.0\.1:1: GET \/: no answer \(ECONNREFUSED\)\n$/)
})

test('a server that takes the request and never answers is said to have had its time', async (t) => {
  const silent = createTcpServer().listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const server = createServer(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`, 100)
  await t.throwsAsync(server.ask('/'), { message: 'GET /: no answer in 0.1 s' })
  silent.close()
})
