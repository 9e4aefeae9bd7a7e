import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import type { CutEvent, MintEvent, NoticeEvent, RequestEvent, SidemintEvent } from '../../src/core/events.ts'
import { createEvents } from '../../src/core/events.ts'
import { startSidemint } from '../../src/index.ts'
import { createLog, type LogOptions } from '../../src/observe/log.ts'
import { startServer } from '../../src/server.ts'
import { createClock, MINUTE, SECOND } from '../clock.ts'
import { ask, DEFAULT_ACCOUNT, V1 } from '../http-client.ts'
import { recordEvents } from '../recorder.ts'

const AT = Date.UTC(2026, 0, 15, 12, 34, 56)
const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'

function setUp(options: Partial<LogOptions> = {}) {
  const clock = createClock(AT)
  const lines: string[] = []
  const write = (line: string) => lines.push(line)
  const log = createLog({ format: 'text', level: 'info', colour: false, write, now: clock.now, ...options })
  return { clock, lines, log }
}

const request = (more: Partial<RequestEvent> = {}): RequestEvent => ({
  type: 'request',
  at: AT,
  kind: 'id',
  audience: 'https://billing.example',
  scopes: [],
  identity: EMAIL,
  caller: 'orders',
  result: 'mint',
  status: 200,
  tookMs: 214,
  expiresAtMs: AT + 59 * MINUTE,
  ...more,
})
const refresh = (more: Partial<MintEvent> = {}): MintEvent => ({
  type: 'mint',
  at: AT,
  kind: 'id',
  audience: 'https://billing.example',
  scopes: [],
  identity: EMAIL,
  behind: true,
  tookMs: 90,
  expiresAtMs: AT + 60 * MINUTE,
  ...more,
})
const notice = (more: Partial<NoticeEvent> = {}): NoticeEvent => ({
  type: 'notice',
  at: AT,
  level: 'warn',
  code: 'HOST_REFUSED',
  text: 'refused Host "evil.example". Fix: --allow-host evil.example',
  ...more,
})
const failed = (more: Partial<RequestEvent> = {}): RequestEvent => {
  const { expiresAtMs: _, ...rest } = request()
  return { ...rest, result: 'error', status: 403, code: 'PERMISSION', reason: 'no permission. Fix: ask', ...more }
}

const CUT: CutEvent = {
  type: 'cut',
  at: AT,
  call: {
    type: 'gate',
    at: AT,
    decision: 'allow',
    upstreamStatus: 200,
    code: 'INVOKER',
    caller: 'web',
    host: 'ledger',
    method: 'GET',
    path: '/entries',
    audience: 'http://ledger:8080',
    principal: EMAIL,
    reason: '',
    tookMs: 1,
  },
  code: 'UPSTREAM_FAILED',
  reason: 'the upstream failed. Fix: start it',
}

const LINES: [name: string, event: SidemintEvent, text: string, record: object][] = [
  [
    'a mint',
    request(),
    'identity 200 orders -> https://billing.example as orders@acme-dev mint 214ms exp 59m',
    {
      level: 'info',
      event: 'request',
      caller: 'orders',
      status: 200,
      kind: 'id',
      audience: 'https://billing.example',
      identity: EMAIL,
      result: 'mint',
      tookMs: 214,
      expiresInSeconds: 3540,
    },
  ],
  [
    'a first hit',
    request({ result: 'hit', first: true, tookMs: 0 }),
    'identity 200 orders -> https://billing.example as orders@acme-dev hit 0ms exp 59m',
    { level: 'info', event: 'request', result: 'hit' },
  ],
  [
    'a first stale answer',
    request({ result: 'stale', first: true, tookMs: 301 }),
    'WARN identity 200 orders -> https://billing.example as orders@acme-dev stale 301ms exp 59m',
    { level: 'warn', result: 'stale' },
  ],
  [
    'an access token',
    request({ kind: 'access', audience: '', scopes: ['https://www.googleapis.com/auth/pubsub', 'openid'] }),
    'token 200 orders -> pubsub,openid as orders@acme-dev mint 214ms exp 59m',
    { kind: 'access', scopes: ['https://www.googleapis.com/auth/pubsub', 'openid'] },
  ],
  [
    'an access token without scopes',
    request({ kind: 'access', audience: '' }),
    'token 200 orders -> default scopes as orders@acme-dev mint 214ms exp 59m',
    { kind: 'access', scopes: [] },
  ],
  [
    'a failure',
    failed(),
    'WARN identity 403 orders -> https://billing.example as orders@acme-dev PERMISSION: no permission. Fix: ask. See /_sidemint/#asked-463e7ff2',
    { level: 'warn', status: 403, code: 'PERMISSION', reason: 'no permission. Fix: ask', result: 'error' },
  ],
  [
    'a failure without an audience or an identity',
    {
      ...failed({ audience: '', identity: '', status: 400, reason: 'non-empty audience parameter required' }),
      code: '',
    },
    'WARN identity 400 orders -> (no audience) non-empty audience parameter required. See /_sidemint/#asked-72fa334f',
    { status: 400, page: '/_sidemint/#asked-72fa334f' },
  ],
  [
    'a refresh',
    refresh(),
    'refresh identity https://billing.example as orders@acme-dev mint 90ms exp 60m',
    { level: 'info', event: 'refresh', result: 'mint' },
  ],
  [
    'a refresh that failed',
    refresh({ code: 'PERMISSION', reason: 'no permission' }),
    'WARN refresh identity https://billing.example as orders@acme-dev PERMISSION: no permission',
    { level: 'warn', event: 'refresh', result: 'error', code: 'PERMISSION' },
  ],
  [
    'a notice',
    notice(),
    'WARN HOST_REFUSED: refused Host "evil.example". Fix: --allow-host evil.example',
    { level: 'warn', event: 'notice', code: 'HOST_REFUSED' },
  ],
]
for (const [name, event, text, record] of LINES) {
  test(`${name} is one line of text and one JSON record`, (t) => {
    const plain = setUp()
    plain.log.read(event)
    t.deepEqual(plain.lines, [`12:34:56 ${text}\n`])
    const json = setUp({ format: 'json' })
    json.log.read(event)
    t.is(json.lines.length, 1)
    const parsed = JSON.parse(json.lines[0] ?? '')
    t.like(parsed, record)
    t.is(parsed.time, '2026-01-15T12:34:56.000Z')
    t.is(parsed.msg, text.replace(/^WARN /, ''))
  })
}

test('later hits and stale answers are logged at debug only, and a mint that was waited for by its request', (t) => {
  const quiet = [request({ result: 'hit' }), request({ result: 'stale' }), refresh({ behind: false })]
  const info = setUp()
  for (const event of quiet) info.log.read(event)
  t.deepEqual(info.lines, [])
  const debug = setUp({ level: 'debug' })
  for (const event of quiet) debug.log.read(event)
  t.is(debug.lines.length, 2)
})

for (const [level, count] of [
  ['debug', 4],
  ['info', 3],
  ['warn', 2],
  ['error', 1],
  ['silent', 0],
] as const) {
  test(`at ${level} ${count} of four levels are logged`, (t) => {
    const { log, lines } = setUp({ level })
    log.read(request({ result: 'hit' }))
    log.read(request())
    log.read(failed())
    log.read(notice({ level: 'error' }))
    t.is(lines.length, count)
  })
}

test('what a caller sends cannot forge a line, move the cursor or hide', (t) => {
  const evil = 'https://a\r\n12:00:00 identity 200 forged\x1b[2J\u2028\u202e\u200b\x7f'
  for (const format of ['text', 'json'] as const) {
    const { log, lines } = setUp({ format })
    log.read(request({ audience: evil, caller: evil }))
    log.read(failed({ audience: evil, reason: evil }))
    log.read(refresh({ audience: evil, code: 'X', reason: evil }))
    log.read(request({ kind: 'access', scopes: [evil] }))
    log.read(notice({ text: evil }))
    t.is(lines.length, 5)
    for (const line of lines) {
      t.is(line.indexOf('\n'), line.length - 1)
      t.false(/[\p{Cc}\p{Cf}\p{Zl}]/u.test(line.slice(0, -1)), line)
    }
  }
})

test('a long audience is cut in a line and kept further in a record', (t) => {
  const audience = `https://a.example/${'x'.repeat(8_192)}`
  const plain = setUp()
  plain.log.read(request({ audience }))
  t.true((plain.lines[0]?.length ?? 0) < 300)
  t.true(plain.lines[0]?.includes('…'))
  const json = setUp({ format: 'json' })
  json.log.read(request({ audience }))
  t.true(JSON.parse(json.lines[0] ?? '{}').audience.startsWith(audience.slice(0, 1_000)))
  t.true((json.lines[0]?.length ?? 0) < 5_000)
})

test('an answer that its service broke off is a warning that names the call', (t) => {
  const { log, lines } = setUp()
  const json = setUp({ format: 'json' })
  for (const { read } of [log, log, json.log]) read(CUT)
  t.is(lines.length, 1, 'a repeated one is held back')
  t.regex(
    lines[0] ?? '',
    /^12:34:56 WARN gate web -> ledger GET \/entries answered 200, and broke off UPSTREAM_FAILED: the upstream failed\. Fix: start it\. See \/_sidemint\/#hop-[0-9a-f]{8}\n$/,
  )
  t.like(JSON.parse(json.lines[0] ?? ''), {
    level: 'warn',
    event: 'cut',
    caller: 'web',
    host: 'ledger',
    code: 'UPSTREAM_FAILED',
  })
})

test('a failure or notice that repeats is held back for ten seconds, another is not', (t) => {
  const { log, lines, clock } = setUp()
  for (let time = 0; time < 5; time++) log.read(failed())
  for (let time = 0; time < 5; time++) log.read(notice())
  t.is(lines.length, 2)
  log.read(failed({ audience: 'https://other.example' }))
  log.read(failed({ caller: 'shipping' }))
  log.read(failed({ code: 'OTHER' }))
  log.read(notice({ text: 'another' }))
  t.is(lines.length, 6)
  clock.advance(10 * SECOND - 1)
  log.read(failed())
  t.is(lines.length, 6)
  clock.advance(1)
  log.read(failed())
  t.is(lines.length, 7)
  clock.advance(-3_600 * SECOND)
  log.read(failed())
  t.is(lines.length, 8, 'a clock that went backwards does not silence it')
})

test('a change of state is said each time, also in the same words: the second save of a file is one more', (t) => {
  const { log, lines } = setUp()
  for (let time = 0; time < 3; time++) log.read(notice({ level: 'info', code: 'SETTINGS_APPLIED' }))
  t.is(lines.length, 3)
})

test('mints are never held back', (t) => {
  const { log, lines } = setUp()
  for (let time = 0; time < 3; time++) log.read(request())
  t.is(lines.length, 3)
})

test('colour is only added where it is asked for', (t) => {
  const { log, lines } = setUp({ colour: true })
  log.read(failed())
  log.read(request())
  t.true(lines[0]?.includes('\x1b[33mWARN '))
  t.true(lines[0]?.endsWith('\x1b[0m\n'))
  t.false(lines[1]?.includes('\x1b'))
})

test('no line of a running server holds a token, at any level and in either format', async (t) => {
  for (const format of ['text', 'json'] as const) {
    const { log, lines } = setUp({ format, level: 'debug' })
    const events = createEvents()
    const seen = recordEvents(events)
    events.subscribe(log.read)
    const settings = settle({ options: { port: 0, source: 'local', allowAudience: ['https://a.example'] } })
    const server = await startServer({ settings, env: {}, events })
    const tokens: string[] = []
    for (let time = 0; time < 2; time++) {
      tokens.push((await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=https://a.example`)).body)
      tokens.push(JSON.parse((await ask(server.url, `${DEFAULT_ACCOUNT}/token`)).body).access_token)
    }
    await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=refused`)
    await server.close()
    t.is(lines.length, 5)
    for (const token of tokens) for (const part of token.split('.')) t.false(lines.join('').includes(part))
    t.false(JSON.stringify(seen).includes(tokens[0]?.split('.')[2] ?? ''))
  }
})

test('a refused request for an access token is told as one', async (t) => {
  await using server = await startSidemint()
  await ask(server.url, `${DEFAULT_ACCOUNT}/token?wait_for_change=true`)
  await ask(server.url, `${V1}/instance/service-accounts/nobody@x.example/token`)
  await ask(server.url, `${V1}/instance/service-accounts/nobody@x.example/identity?audience=a`)
  await ask(server.url, `${DEFAULT_ACCOUNT}/identity`)
  t.deepEqual(
    server.requests.map(({ kind, status, result }) => [kind, status, result]),
    [
      ['access', 400, 'error'],
      ['access', 404, 'error'],
      ['id', 404, 'error'],
      ['id', 400, 'error'],
    ],
  )
})
