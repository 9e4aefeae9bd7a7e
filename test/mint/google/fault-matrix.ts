/** Every call of every way to a token, and every fault of it: the rows that a test file shows. */

import test, { type ExecutionContext } from 'ava'
import { settle } from '../../../src/config/layers.ts'
import { createEvents } from '../../../src/core/events.ts'
import type { Bounds } from '../../../src/mint/bounded.ts'
import { createLog } from '../../../src/observe/log.ts'
import { type RunningServer, startServer } from '../../../src/server.ts'
import { createClock, SECOND } from '../../clock.ts'
import { apiError, errorInfo } from '../../google/answers.ts'
import type { Fault } from '../../google/faults.ts'
import { type FakeGoogle, startFakeGoogle } from '../../google/start.ts'
import { ask, DEFAULT_ACCOUNT } from '../../http-client.ts'
import { recordEvents } from '../../recorder.ts'
import { AUDIENCE, ROWS, type Row, type Setup } from './rows.ts'

/** Of a call that hangs, two attempts are enough. Each has twice what the calls before it take on a busy machine. */
const SHORT: Bounds = { attemptMs: 600, totalMs: 20_000, retryDelaysMs: [16] }
const LONG: Bounds = { attemptMs: 20_000, totalMs: 40_000, retryDelaysMs: [5, 10] }

const oauth = (body: object) => ({ kind: 'status', status: 400, body }) as const
const reason = (name: string, metadata = {}, message = `Ordered: ${name}.`) =>
  ({
    kind: 'status',
    status: 403,
    body: apiError(403, message, [errorInfo(name, metadata)]).answer.body,
  }) as const

type Order = Fault extends infer F ? (F extends Fault ? Omit<F, 'host' | 'path'> : never) : never

const FAULTS = {
  timeout: { kind: 'hang' },
  reset: { kind: 'reset' },
  '408': { kind: 'status', status: 408 },
  '429': { kind: 'status', status: 429 },
  '500': { kind: 'status', status: 500 },
  '503': { kind: 'status', status: 503 },
  'one 503': { kind: 'status', status: 503, times: 1 },
  slow: { kind: 'delay', ms: 50 },
  garbage: { kind: 'garbage' },
  'wrong type': { kind: 'contentType', type: 'text/plain' },
  '404': { kind: 'status', status: 404, body: apiError(404, 'Not found; Gaia id not found.').answer.body },
  invalid_grant: oauth({ error: 'invalid_grant', error_description: 'Token has been expired or revoked.' }),
  invalid_rapt: oauth({
    error: 'invalid_grant',
    error_description: 'reauth related error (invalid_rapt)',
    error_subtype: 'invalid_rapt',
  }),
  '403 page': { kind: 'status', status: 403, body: '<!DOCTYPE html><p>Forbidden' },
  '403 permission': reason(
    'IAM_PERMISSION_DENIED',
    { permission: 'iam.serviceAccounts.getOpenIdToken' },
    "Permission 'iam.serviceAccounts.getOpenIdToken' denied on resource (or it may not exist).",
  ),
  '403 API off': reason('SERVICE_DISABLED', { consumer: 'projects/123' }),
  '403 gcloud project': reason('SERVICE_DISABLED', { consumer: 'projects/764086051850' }),
  '403 project of gcloud auth login': reason('SERVICE_DISABLED', { consumer: 'projects/32555940559' }),
  '403 quota project': reason('USER_PROJECT_DENIED', { consumer: 'projects/acme-quota' }),
  '403 scopes': reason('ACCESS_TOKEN_SCOPE_INSUFFICIENT'),
  '403 other': reason('SECURITY_POLICY_VIOLATED'),
} as const satisfies Record<string, Order>

type FaultName = keyof typeof FAULTS

/** Status, code and how often the faulty call was made. */
const PASSING = {
  timeout: '503 UPSTREAM_TIMEOUT 2x',
  reset: '503 NETWORK_DOWN 3x',
  '408': '503 UPSTREAM_UNAVAILABLE 3x',
  '429': '503 RATE_LIMITED 3x',
  '500': '503 UPSTREAM_UNAVAILABLE 3x',
  '503': '503 UPSTREAM_UNAVAILABLE 3x',
  'one 503': '200 2x',
  slow: '200 1x',
  garbage: '503 UPSTREAM_GARBAGE 1x',
  'wrong type': '200 1x',
}
const REFUSED = { '404': '403 UPSTREAM_REFUSED 1x', '403 page': '403 UPSTREAM_REFUSED 1x' }
const KEY = {
  ...PASSING,
  ...REFUSED,
  invalid_grant: '403 KEY_REFUSED 1x',
  invalid_rapt: '403 KEY_REFUSED 1x',
}
const LOGIN = {
  ...PASSING,
  ...REFUSED,
  invalid_grant: '403 LOGIN_EXPIRED 1x',
  invalid_rapt: '403 REAUTH_REQUIRED 1x',
}
const EXCHANGE = {
  ...PASSING,
  ...REFUSED,
  invalid_grant: '403 SUBJECT_TOKEN_REFUSED 1x',
  invalid_rapt: '403 SUBJECT_TOKEN_REFUSED 1x',
}
const SUBJECT = {
  ...PASSING,
  garbage: '403 SUBJECT_TOKEN_MISSING 1x',
  '404': '403 SUBJECT_TOKEN_MISSING 1x',
  '403 page': '403 SUBJECT_TOKEN_MISSING 1x',
}
const IAM = {
  ...PASSING,
  '404': '404 ACCOUNT_NOT_FOUND 1x',
  '403 page': '403 UPSTREAM_REFUSED 1x',
  '403 permission': '403 IMPERSONATION_DENIED 1x',
  '403 API off': '403 API_DISABLED 1x',
  '403 gcloud project': '403 QUOTA_PROJECT_MISSING 1x',
  '403 project of gcloud auth login': '403 QUOTA_PROJECT_MISSING 1x',
  '403 quota project': '403 QUOTA_PROJECT_DENIED 1x',
  '403 scopes': '403 LOGIN_TOO_NARROW 1x',
  '403 other': '403 UPSTREAM_REFUSED 1x',
}
const MACHINE = {
  ...PASSING,
  '404': '404 ACCOUNT_NOT_FOUND 1x',
  '403 page': '403 UPSTREAM_REFUSED 1x',
}

const EXPECTED: Record<string, Partial<Record<FaultName, string>>> = {
  'key: token': KEY,
  'user + impersonation: login': LOGIN,
  'user + impersonation: impersonate': IAM,
  'impersonated: key': KEY,
  'impersonated: impersonate': IAM,
  'nested, two delegates: key': KEY,
  'nested, two delegates: inner': IAM,
  'nested, two delegates: outer': IAM,
  'external account by file: exchange': EXCHANGE,
  'external account by file: impersonate': IAM,
  'external account by URL: subject': SUBJECT,
  'external account by URL: exchange': EXCHANGE,
  'external account by URL: impersonate': IAM,
  'real metadata server: identity': MACHINE,
}

const EVERYWHERE = ['503', 'garbage', '404'] as const

/** A fault that has no code of its own there is left out: what every answer means is shown in meanings.test.ts, without a server. */
export const EACH_ONCE: Record<string, readonly FaultName[]> = {
  'key: token': [...EVERYWHERE, 'invalid_grant'],
  'user + impersonation: login': [...EVERYWHERE, 'invalid_grant', 'invalid_rapt'],
  'user + impersonation: impersonate': [
    'timeout',
    'reset',
    'one 503',
    'wrong type',
    ...EVERYWHERE,
    '403 page',
    '403 permission',
  ],
  'external account by URL: subject': EVERYWHERE,
  'external account by URL: exchange': [...EVERYWHERE, 'invalid_grant'],
  'real metadata server: identity': ['timeout', 'reset', 'one 503', ...EVERYWHERE, '403 page'],
}

export const ALL = Object.fromEntries(
  Object.entries(EXPECTED).map(([title, expected]) => [title, Object.keys(expected) as FaultName[]]),
)

let google: FakeGoogle
const table: string[][] = []

test.before(async () => {
  google = await startFakeGoogle()
  google.trust()
})

test.after.always(() => google.close())

/** Every log line in both forms and every metric of all servers here. */
const written: string[] = []

async function serve({ settings, env }: Setup, bounds: Bounds, now = Date.now) {
  const events = createEvents()
  for (const format of ['text', 'json'] as const) {
    events.subscribe(
      createLog({ format, level: 'debug', colour: false, write: (line) => written.push(line), now }).read,
    )
  }
  const server = await startServer({
    settings: settle({ options: { port: 0, ...settings } }),
    env: { ...google.env, ...env },
    bounds,
    now,
    events,
  })
  return {
    ...server,
    async [Symbol.asyncDispose]() {
      written.push((await ask(server.url, '/_sidemint/metrics')).body)
      await server.close()
    },
  }
}

/** What the identity request came to, its body looked over. */
async function mint(t: ExecutionContext, { url }: RunningServer, audience = AUDIENCE): Promise<string> {
  const { status, body } = await ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${audience}&format=full`)
  t.false(
    [...google.secrets].some((secret) => body.includes(secret)),
    'no secret is in an answer',
  )
  if (status === 200) return '200'
  const { error, error_description: text } = JSON.parse(body)
  t.true(body.length <= 1_000)
  t.regex(text, /\. Fix: \S/)
  t.notRegex(text, /undefined|\[object|\{\w+\}|eyJ|ya29/)
  return `${status} ${error}`
}

interface Call {
  row: Row
  title: string
  call: { host: string; path?: string }
  /** Of the calls of its row. */
  isLast: boolean
}

async function showCall(t: ExecutionContext, call: Call, faults: readonly FaultName[]) {
  // What a call that succeeds brings is kept, and the next fault would not be met; the last one is made for each audience.
  const isKept = (fault: FaultName) => !call.isLast && EXPECTED[call.title]?.[fault]?.startsWith('200')
  const setup = await call.row.setUp(google)
  const together: FaultName[] = []
  for (const fault of faults) {
    if (fault === 'timeout') await showFaultsOf(t, call, [fault], await serve(setup, SHORT))
    else if (isKept(fault)) await showFaultsOf(t, call, [fault], await serve(setup, LONG))
    else together.push(fault)
  }
  await showFaultsOf(t, call, together, await serve(setup, LONG))
}

type Server = Awaited<ReturnType<typeof serve>>

async function showFaultsOf(t: ExecutionContext, { title, call }: Call, faults: FaultName[], started: Server) {
  await using server = started
  for (const fault of faults) {
    const before = google.count(call)
    const cancel = google.fault({ ...FAULTS[fault], ...call } as Fault)
    const outcome = await mint(t, server, `https://${fault.replaceAll(' ', '-')}.example`)
    cancel()
    const made = `${outcome} ${google.count(call) - before}x`
    t.is(made, EXPECTED[title]?.[fault] ?? 'expected nothing', fault)
    table.push([title, fault, ...made.split(' ')])
  }
}

/** Ours against Google's: what goes wrong with the clock, and how a new login heals it. */
const OTHER: Record<string, { ahead: string; behind: string; replaced?: string }> = {
  key: { ahead: '403 KEY_REFUSED', behind: '200', replaced: '403 KEY_REFUSED, then 200' },
  'user + impersonation': { ahead: '200', behind: '200', replaced: '403 LOGIN_EXPIRED, then 200' },
  impersonated: { ahead: '403 KEY_REFUSED', behind: '200', replaced: '403 KEY_REFUSED, then 200' },
  'nested, two delegates': { ahead: '403 KEY_REFUSED', behind: '200', replaced: '403 KEY_REFUSED, then 200' },
  'external account by file': { ahead: '200', behind: '200', replaced: '403 SUBJECT_TOKEN_REFUSED, then 200' },
  'external account by URL': { ahead: '200', behind: '200', replaced: '403 SUBJECT_TOKEN_REFUSED, then 200' },
  'real metadata server': { ahead: '200', behind: '200' },
}

/** How far Google's clock is from ours where ours is ahead. */
const AHEAD_MS = -600 * SECOND

/** One server for all, so each clock must be noticed by itself. */
async function showClock(t: ExecutionContext, row: Row) {
  const { ahead, behind } = OTHER[row.credential] ?? {}
  t.teardown(() => (google.clock.offsetMs = 0))
  google.clock.offsetMs = AHEAD_MS
  await using server = await serve(await row.setUp(google), LONG)
  for (const [name, offsetMs, expected] of [
    ['ahead', AHEAD_MS, ahead],
    ['right', 0, '200'],
    ['behind', 240 * SECOND, behind],
  ] as const) {
    google.clock.offsetMs = offsetMs
    const outcome = await mint(t, server, `https://${name}.example`)
    t.is(outcome, expected ?? 'expected nothing', name)
    table.push([row.credential, name, outcome])
    const { status, body } = await ask(server.url, '/_sidemint/ready')
    t.deepEqual([status, body.startsWith('CLOCK_SKEW')], name === 'right' ? [200, false] : [503, true], name)
    t.notRegex(body, /ahead|behind/, 'code and fix only')
  }
}

async function showLogin(t: ExecutionContext, row: Row) {
  const setup = await row.setUp(google)
  const clock = createClock(Date.now())
  await using server = await serve(setup, LONG, clock.now)
  const seen = recordEvents(server.events)
  const cancel = google.fault({ host: 'oauth2.googleapis.com', ...FAULTS.invalid_grant })
  const cancelExchange = google.fault({ host: 'sts.googleapis.com', ...FAULTS.invalid_grant })
  const broken = await mint(t, server)
  cancel()
  cancelExchange()
  t.is(await mint(t, server), broken, 'a permanent failure is remembered')
  await setup.replace?.()
  clock.advance(1 * SECOND)
  const healed = await mint(t, server)
  t.true(seen.some((event) => event.type === 'notice' && event.code === 'CREDENTIALS_CHANGED'))
  const outcome = `${broken}, then ${healed}`
  t.is(outcome, OTHER[row.credential]?.replaced ?? 'expected nothing')
  table.push([row.credential, 'replaced', outcome])
}

/** The tests of these faults, by the title of their call, and of clocks with these credentials. */
export function showFaults(
  shown: Readonly<Record<string, readonly FaultName[]>>,
  clocks: readonly string[] = Object.keys(OTHER),
) {
  const calls = ROWS.flatMap((row) =>
    Object.entries(row.calls).map(([name, { host, ...call }], index, { length }) => ({
      row,
      isLast: index === length - 1,
      call: { host: host === 'idp' ? 'idp.example.com' : host, ...call },
      title: `${row.credential}: ${name}`,
    })),
  ).filter(({ title }) => title in shown)
  for (const call of calls) {
    const title = `every fault of the call is answered with its status, its code and no call too many: ${call.title}`
    test.serial(title, (t) => showCall(t, call, shown[call.title] ?? []))
  }
  const rows = [...new Set(calls.map(({ row }) => row))]
  const skewed = rows.filter(({ credential }) => clocks.includes(credential))
  for (const row of skewed) test.serial(`a clock that is off: ${row.credential}`, (t) => showClock(t, row))
  const replaced = rows.filter(({ credential }) => OTHER[credential]?.replaced !== undefined)
  for (const row of replaced) test.serial(`a new login: ${row.credential}`, (t) => showLogin(t, row))

  test.serial('the table', (t) => {
    const widths = [38, 38, 6, 24]
    t.log(['', ...table.map((line) => line.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(''))].join('\n'))
    t.is(calls.length, Object.keys(shown).length, 'each is the call of a row')
    t.is(table.length, Object.values(shown).flat().length + 3 * skewed.length + replaced.length)
  })

  test.serial('nothing was asked of anybody but Google', (t) => {
    t.deepEqual(google.strangers, [])
  })

  test.serial('no log line and no metric of all these servers holds a token, a key or a secret', (t) => {
    const all = written.join('')
    t.true(written.length > 2 * table.length, 'each failure was logged')
    t.true(all.includes('sidemint_mints_total'), 'the metrics are there')
    for (const secret of google.secrets) t.false(all.includes(secret))
    t.notRegex(all, /eyJ|ya29\.|1\/\/|GOCSPX|PRIVATE KEY/)
  })
}
