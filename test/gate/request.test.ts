import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { JWT, UserRefreshClient } from 'google-auth-library'
import { createEvents } from '../../src/core/events.ts'
import type { GateOptions } from '../../src/gate/options.ts'
import { startFakeGoogle } from '../google/start.ts'
import { recordEvents } from '../recorder.ts'
import { newKey } from './issuer.ts'
import { BILLING, bearer, issuer, listenGates, RUN, send, startGate, startService, token } from './stack.ts'

const nowSeconds = Math.floor(Date.now() / 1000)
const GCLOUD = '32555940559.apps.googleusercontent.com'
const ANN = { aud: GCLOUD, email: 'ann@acme.com', email_verified: true, hd: 'acme.com' }
const SUB = '113774264463038321964'

interface Row {
  name: string
  gate?: () => Partial<GateOptions>
  /** Alternating names and values. */
  headers?: () => string[] | Promise<string[]>
  method?: string
  status: number
  code: string
}

/** How Cloud Run's front end decides (docs/gate.md, "The decision"): a row for each kind of credential, audience, header and identity. */
const TABLE: Row[] = [
  { name: 'no credential', status: 403, code: 'TOKEN_MISSING' },
  { name: 'a Basic credential', headers: () => ['Authorization', 'Basic YTpi'], status: 403, code: 'TOKEN_MISSING' },
  { name: 'a malformed token', headers: () => ['Authorization', 'Bearer junk'], status: 401, code: 'TOKEN_INVALID' },
  {
    name: 'a bad signature',
    headers: () => ['Authorization', `${bearer().replace(/[^.]*$/, '')}${'A'.repeat(342)}`],
    status: 401,
    code: 'TOKEN_INVALID',
  },
  {
    name: 'an expired token',
    headers: () => ['Authorization', bearer({ iat: nowSeconds - 4200, exp: nowSeconds - 600 })],
    status: 401,
    code: 'TOKEN_EXPIRED',
  },
  {
    name: 'a token of an issuer that is not trusted',
    headers: () => ['Authorization', bearer({ iss: 'https://accounts.google.com' })],
    status: 401,
    code: 'ISSUER_NOT_TRUSTED',
  },
  {
    name: 'a token signed by a key that nobody publishes',
    headers: async () => [
      'Authorization',
      `Bearer ${issuer.sign({ aud: RUN, email: BILLING }, { key: await newKey() })}`,
    ],
    status: 401,
    code: 'KEY_UNKNOWN',
  },
  {
    name: 'an access token',
    headers: () => ['Authorization', 'Bearer ya29.a0AfH6'],
    status: 401,
    code: 'TOKEN_INVALID',
  },
  {
    name: 'a token for another audience',
    headers: () => ['Authorization', bearer({ aud: 'demo' })],
    status: 401,
    code: 'AUDIENCE_WRONG',
  },
  {
    name: 'several tokens in one header',
    headers: () => ['Authorization', `${bearer()}, ${bearer()}`],
    status: 401,
    code: 'TOKENS_SEVERAL',
  },
  {
    name: 'several Authorization headers, though the first would do',
    headers: () => ['Authorization', bearer(), 'Authorization', 'Bearer other'],
    status: 401,
    code: 'TOKENS_SEVERAL',
  },
  {
    name: 'a good token of somebody who may not invoke',
    headers: () => ['Authorization', bearer({ email: 'orders@acme-dev.iam.gserviceaccount.com' })],
    status: 403,
    code: 'NOT_AN_INVOKER',
  },
  { name: 'an invoker', headers: () => ['Authorization', bearer()], status: 200, code: 'INVOKER' },
  {
    name: 'an invoker who writes bearer in lower case',
    headers: () => ['authorization', `bearer ${token()}`],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'TRACE by an invoker',
    method: 'TRACE',
    headers: () => ['Authorization', bearer()],
    status: 405,
    code: 'METHOD_UNSUPPORTED',
  },
  {
    name: 'allAuthenticatedUsers and a token whose subject is empty',
    gate: () => ({ invokers: ['allAuthenticatedUsers'] }),
    headers: () => ['Authorization', bearer({ sub: '', email: undefined })],
    status: 200,
    code: 'INVOKER',
  },
  { name: 'allUsers without a token', gate: () => ({ invokers: ['allUsers'] }), status: 200, code: 'PUBLIC' },
  {
    name: 'allUsers with a junk JWT',
    gate: () => ({ invokers: ['allUsers'] }),
    headers: () => ['Authorization', 'Bearer a.b.c'],
    status: 200,
    code: 'PUBLIC',
  },
  {
    name: 'the run.app URL with a trailing slash',
    headers: () => ['Authorization', bearer({ aud: `${RUN}/` })],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'the run.app URL with a path, as Cloud Tasks sends it',
    headers: () => ['Authorization', bearer({ aud: `${RUN}/tasks/1` })],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'the second form of the run.app URL, where both are listed',
    gate: () => ({ audiences: [RUN, 'https://ledger-1234567.europe-west1.run.app'] }),
    headers: () => ['Authorization', bearer({ aud: 'https://ledger-1234567.europe-west1.run.app' })],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'the URL of a traffic tag',
    headers: () => ['Authorization', bearer({ aud: RUN.replace('://', '://green---') })],
    status: 401,
    code: 'AUDIENCE_WRONG',
  },
  {
    name: 'a custom audience to the letter',
    gate: () => ({ audiences: ['http://ledger:8080'] }),
    headers: () => ['Authorization', bearer({ aud: 'http://ledger:8080' })],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'a custom audience with a trailing slash',
    gate: () => ({ audiences: ['http://ledger:8080'] }),
    headers: () => ['Authorization', bearer({ aud: 'http://ledger:8080/' })],
    status: 401,
    code: 'AUDIENCE_WRONG',
  },
  {
    name: 'the full URL of a function',
    gate: () => ({ audiences: ['https://region-p.cloudfunctions.net/ledger'] }),
    headers: () => ['Authorization', bearer({ aud: 'https://region-p.cloudfunctions.net/ledger' })],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'a function without its name',
    gate: () => ({ audiences: ['https://region-p.cloudfunctions.net/ledger'] }),
    headers: () => ['Authorization', bearer({ aud: 'https://region-p.cloudfunctions.net' })],
    status: 401,
    code: 'AUDIENCE_WRONG',
  },
  {
    name: 'an audience that is a list',
    headers: () => ['Authorization', bearer({ aud: [RUN] })],
    status: 401,
    code: 'AUDIENCE_WRONG',
  },
  {
    name: "gcloud's own audience with a user who may invoke",
    gate: () => ({ invokers: ['user:ann@acme.com'] }),
    headers: () => ['Authorization', bearer(ANN)],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: "gcloud's own audience where the gate does not take it",
    gate: () => ({ invokers: ['user:ann@acme.com'], gcloudAudiences: false }),
    headers: () => ['Authorization', bearer(ANN)],
    status: 401,
    code: 'AUDIENCE_WRONG',
  },
  {
    name: "a user's token for an OAuth client of one's own",
    gate: () => ({ invokers: ['user:ann@acme.com'] }),
    headers: () => ['Authorization', bearer({ ...ANN, aud: '123-own.apps.googleusercontent.com' })],
    status: 401,
    code: 'AUDIENCE_WRONG',
  },
  {
    name: 'a good token in X-Serverless-Authorization beside a junk Authorization',
    headers: () => ['X-Serverless-Authorization', bearer(), 'Authorization', 'Bearer junk'],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'a bad token in X-Serverless-Authorization beside a good Authorization',
    headers: () => ['X-Serverless-Authorization', 'Bearer junk', 'Authorization', bearer()],
    status: 401,
    code: 'TOKEN_INVALID',
  },
  {
    name: 'a token without email and a gate that knows the subject',
    gate: () => ({ subjects: { [SUB]: BILLING } }),
    headers: () => ['Authorization', bearer({ sub: SUB, email: undefined, email_verified: undefined })],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'a token without email and a gate that does not know the subject',
    headers: () => ['Authorization', bearer({ sub: SUB, email: undefined, email_verified: undefined })],
    status: 403,
    code: 'NOT_AN_INVOKER',
  },
  {
    name: 'a subject that another issuer gives',
    gate: () => ({ subjects: { [SUB]: BILLING }, trust: ['google', issuer.url] }),
    headers: () => ['Authorization', bearer({ sub: SUB, email: undefined, email_verified: undefined })],
    status: 403,
    code: 'NOT_AN_INVOKER',
  },
  {
    name: 'a user of the domain whose email is not verified',
    gate: () => ({ invokers: ['domain:acme.com'] }),
    headers: () => ['Authorization', bearer({ ...ANN, email_verified: false })],
    status: 403,
    code: 'NOT_AN_INVOKER',
  },
  {
    name: 'an email of which nobody says that it is verified',
    headers: () => ['Authorization', bearer({ email_verified: undefined })],
    status: 403,
    code: 'NOT_AN_INVOKER',
  },
  {
    name: 'an email that is not verified',
    headers: () => ['Authorization', bearer({ email_verified: false })],
    status: 403,
    code: 'NOT_AN_INVOKER',
  },
  {
    name: 'any principal where allAuthenticatedUsers may invoke',
    gate: () => ({ invokers: ['allAuthenticatedUsers'] }),
    headers: () => ['Authorization', bearer({ email: 'x@gmail.com' })],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'nobody where allAuthenticatedUsers may invoke',
    gate: () => ({ invokers: ['allAuthenticatedUsers'] }),
    status: 403,
    code: 'TOKEN_MISSING',
  },
  {
    name: 'a member of a group',
    gate: () => ({ invokers: ['group:eng@acme.com'], groups: { 'eng@acme.com': ['user:ann@acme.com'] } }),
    headers: () => ['Authorization', bearer(ANN)],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'a user of the domain',
    gate: () => ({ invokers: ['domain:acme.com'] }),
    headers: () => ['Authorization', bearer(ANN)],
    status: 200,
    code: 'INVOKER',
  },
  {
    name: 'a stranger to group and domain',
    gate: () => ({
      invokers: ['group:eng@acme.com', 'domain:acme.com'],
      groups: { 'eng@acme.com': ['user:ann@acme.com'] },
    }),
    headers: () => ['Authorization', bearer({ ...ANN, email: 'eve@gmail.com', hd: undefined })],
    status: 403,
    code: 'NOT_AN_INVOKER',
  },
]

for (const row of TABLE) {
  test(`${row.name}: ${row.status}`, async (t) => {
    const { send, reached, decisions } = await startGate(t, row.gate?.())
    const headers = await row.headers?.()
    const answer = await send(headers, { method: row.method ?? 'GET' })
    t.is(answer.status, row.status)
    t.is(reached.length, row.status === 200 ? 1 : 0)
    const [decision, ...more] = decisions()
    t.is(more.length, 0)
    t.like(decision, {
      code: row.code,
      decision: row.status === 200 ? 'allow' : 'refuse',
      caller: '127.0.0.1',
      host: 'ledger',
    })
    t.is(decision?.status, row.status === 200 ? undefined : row.status)
    const credential = headers?.at(1)?.split(' ').at(-1)
    if (credential) t.false(JSON.stringify(decision).includes(credential), 'the token is in the log')
    if (decision?.reason) t.false(answer.body.includes(decision.reason), 'the reason is in the body')
  })
}

test.serial("the same decisions on Google's own tokens, of service accounts and of people", async (t) => {
  const google = await startFakeGoogle()
  t.teardown(google.close)
  google.applyEnv()
  const { port, decisions } = await startGate(t, {
    trust: ['google', issuer.url],
    invokers: [`serviceAccount:${BILLING}`, 'domain:acme.com'],
  })
  const tokenOf = async (email: string, audience: string) => {
    const key = await google.serviceAccountKey(email)
    return new JWT({ email, key: String(key.private_key) }).fetchIdToken(audience)
  }
  const loginOf = async (email: string) => {
    const { client_id, client_secret, refresh_token } = google.userLogin(email) as Record<string, string>
    const login = { clientId: client_id ?? '', clientSecret: client_secret ?? '', refreshToken: refresh_token ?? '' }
    return new UserRefreshClient(login).fetchIdToken(RUN)
  }
  const good = await tokenOf(BILLING, RUN)
  google.clock.offsetMs = -3 * 3_600_000
  google.metadata.email = BILLING
  const identity = {
    path: `/computeMetadata/v1/instance/service-accounts/default/identity?audience=${RUN}&format=full`,
  }
  const machine = Number(google.metadata.host.split(':')[1])
  const { body: expired } = await send(machine, ['Metadata-Flavor', 'Google'], identity)
  google.clock.offsetMs = 0
  const rows: [token: string, status: number, code: string][] = [
    [good, 200, 'INVOKER'],
    [`${good.replace(/[^.]*$/, '')}${'A'.repeat(342)}`, 401, 'TOKEN_INVALID'],
    [expired, 401, 'TOKEN_EXPIRED'],
    [await tokenOf(BILLING, 'demo'), 401, 'AUDIENCE_WRONG'],
    [await tokenOf('orders@acme-dev.iam.gserviceaccount.com', RUN), 403, 'NOT_AN_INVOKER'],
    [await loginOf('ann@acme.com'), 200, 'INVOKER'],
    [await loginOf('eve@stranger.example'), 403, 'NOT_AN_INVOKER'],
    [issuer.sign({ aud: RUN, iss: 'https://accounts.google.com', email: BILLING }), 401, 'KEY_UNKNOWN'],
    [token(), 200, 'INVOKER'],
  ]
  for (const [value, status, code] of rows) {
    t.is((await send(port, ['Authorization', `Bearer ${value}`])).status, status, code)
    t.is(decisions().at(-1)?.code, code)
  }
})

test('the pages are those of Cloud Run, byte for byte', async (t) => {
  const { send } = await startGate(t)
  const forbidden = await send([], { path: '/a%20b/<x>?secret=1' })
  t.is(
    forbidden.body,
    `<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>403 Forbidden</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Forbidden</h1>
<h2>Your client does not have permission to get URL <code>/a%20b/&lt;x&gt;</code> from this server.</h2>
<h2></h2>
</body></html>
`,
  )
  t.is(forbidden.headers['content-type'], 'text/html; charset=UTF-8')
  t.is(forbidden.headers['www-authenticate'], undefined)
  const head = await send([], { method: 'HEAD' })
  t.like(head, { status: 403, body: '' })
  const unauthorized = await send(['Authorization', 'Bearer junk'], { path: '/orders' })
  t.is(
    unauthorized.body,
    `<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>401 Unauthorized</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Unauthorized</h1>
<h2>Your client does not have permission to the requested URL <code>/orders</code>.</h2>
<h2></h2>
</body></html>
`,
  )
  t.is(unauthorized.headers['content-type'], 'text/html; charset=UTF-8')
  t.is(
    unauthorized.headers['www-authenticate'],
    'Bearer error="invalid_token" error_description="The access token could not be verified"',
  )
})

test('the service sees the token without its signature, as the setting says', async (t) => {
  const good = token()
  const bare = `${good.slice(0, good.lastIndexOf('.'))}.SIGNATURE_REMOVED_BY_GOOGLE`
  for (const [strip, own, serverless] of [
    ['both', bare, bare],
    ['serverless-only', good, bare],
    ['never', good, good],
  ] as const) {
    const { send, reached } = await startGate(t, { strip })
    await send(['Authorization', `Bearer ${good}`])
    t.is(reached[0]?.headers.authorization, `Bearer ${own}`, strip)
    await send(['X-Serverless-Authorization', `Bearer ${good}`, 'Authorization', 'Bearer of-the-app'])
    t.is(reached[1]?.headers['x-serverless-authorization'], `Bearer ${serverless}`, strip)
    t.is(reached[1]?.headers.authorization, 'Bearer of-the-app', strip)
  }
})

test('TRACE is refused whoever asks, and the time that is told is that of the decision', async (t) => {
  const { send, decisions } = await startGate(t)
  const started = performance.now()
  await send(['Authorization', bearer()], { method: 'TRACE' })
  const tookMs = performance.now() - started
  t.like(decisions()[0], { code: 'METHOD_UNSUPPORTED', audience: '', principal: '' })
  t.regex(decisions()[0]?.reason ?? '', /\bTRACE\b(?!~)/)
  t.true((decisions()[0]?.tookMs ?? Number.NaN) <= Math.ceil(tookMs))
})

test('a public service gets the token as it came', async (t) => {
  const { send, reached } = await startGate(t, { invokers: ['allUsers'] })
  const good = token()
  await send(['Authorization', `Bearer ${good}`, 'X-Serverless-Authorization', 'junk'])
  t.is(reached[0]?.headers.authorization, `Bearer ${good}`)
  t.is(reached[0]?.headers['x-serverless-authorization'], 'junk')
})

test('the service sees the Host, path and query as asked for, who called, and no identity that a caller made up', async (t) => {
  const { send, reached } = await startGate(t)
  const invented = [
    'X-Goog-Authenticated-User-Email',
    'accounts.google.com:boss@acme.com',
    'X_Goog_IAP_JWT_Assertion',
    'a.b.c',
    'X_Serverless_Authorization',
    'Bearer a.b.c',
    'X_Forwarded-For',
    '10.9.9.9',
  ]
  const headers = ['Authorization', bearer(), 'Host', 'ledger:8080', 'X-Forwarded-For', '10.1.1.1', ...invented]
  await send(headers, { path: '/a%2Fb/../c?d=e&f' })
  t.is(reached[0]?.url, '/a%2Fb/../c?d=e&f')
  t.like(reached[0]?.headers, {
    host: 'ledger:8080',
    'x-forwarded-for': '10.1.1.1,127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-goog-authenticated-user-email': undefined,
    x_goog_iap_jwt_assertion: undefined,
    x_serverless_authorization: undefined,
    'x_forwarded-for': undefined,
  })
  await send(['Authorization', bearer(), 'X-Forwarded-Proto', 'https'])
  t.like(reached[1]?.headers, { 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'https' })
})

test('report mode lets everything pass and logs what it would have refused', async (t) => {
  const { send, reached, decisions } = await startGate(t, { mode: 'report' })
  t.is((await send()).status, 200)
  t.is((await send(['Authorization', 'Bearer junk'])).status, 200)
  t.is((await send(['Authorization', bearer()])).status, 200)
  t.is(reached[1]?.headers.authorization, 'Bearer junk')
  t.deepEqual(
    decisions().map(({ decision, status, code }) => [decision, status, code]),
    [
      ['report', 403, 'TOKEN_MISSING'],
      ['report', 401, 'TOKEN_INVALID'],
      ['allow', undefined, 'INVOKER'],
    ],
  )
})

test('an issuer whose keys cannot be fetched is 503, and the log says why', async (t) => {
  const { send, decisions } = await startGate(t, { trust: ['http://127.0.0.1:1'] })
  const answer = await send(['Authorization', bearer({ iss: 'http://127.0.0.1:1' })])
  t.is(answer.status, 503)
  t.regex(answer.body, /<title>503 Server Error<\/title>/)
  t.like(decisions()[0], { status: 503, code: 'KEYS_UNAVAILABLE' })
  t.regex(decisions()[0]?.reason ?? '', /ECONNREFUSED/)
})

test('a policy file decides beside the settings', async (t) => {
  const file = join(tmpdir(), `sidemint-gate-${process.pid}.json`)
  t.teardown(() => rmSync(file))
  const { upstream } = await startService(t)
  const answerWith = async (members: string[]) => {
    writeFileSync(file, JSON.stringify({ bindings: [{ role: 'roles/run.invoker', members }] }))
    const gate = { upstream, invokers: [], policy: file }
    const port = (await listenGates(t, [gate], { events: createEvents() })).get(0) ?? 0
    return (await send(port, ['Authorization', bearer()])).status
  }
  t.is(await answerWith([]), 403)
  t.is(await answerWith([`serviceAccount:${BILLING}`]), 200)
})

test('one process fronts many services, chosen by Host, and by port where a gate names one', async (t) => {
  const one = await startService(t, (_, res) => void res.end('one'))
  const two = await startService(t, (_, res) => void res.end('two'))
  const other = { invokers: ['allUsers'], audiences: [] }
  const events = createEvents()
  const seen = recordEvents(events)
  const ports = await listenGates(
    t,
    [
      { host: 'ledger', upstream: one.upstream, ...other },
      { host: 'billing.internal', upstream: two.upstream, ...other },
      { host: 'ledger', port: 9090, upstream: two.upstream, ...other },
    ],
    { events },
  )
  t.deepEqual([...ports.keys()], [0, 9090])
  const [port = 0, ownPort = 0] = ports.values()
  const body = async (at: number, host: string) => (await send(at, ['Host', host])).body
  t.is(await body(port, 'ledger'), 'one')
  t.is(await body(port, 'LEDGER:8080'), 'one')
  t.is(await body(port, 'billing.internal.:80'), 'two')
  t.is(await body(ownPort, 'ledger:9090'), 'two')
  for (const [at, host] of [
    [port, 'orders'],
    [port, '[::1]:80'],
    [ownPort, 'billing.internal'],
  ] as const) {
    const answer = await send(at, ['Host', host])
    t.is(answer.status, 404, host)
    t.regex(answer.body, /The requested URL was not found on this server/)
  }
  const decisions = seen.filter((event) => event.type === 'gate')
  const unknown = decisions.filter(({ code }) => code === 'HOST_UNKNOWN')
  t.is(unknown.length, 3)
  t.like(unknown[0], {
    decision: 'refuse',
    host: 'orders',
    caller: '127.0.0.1',
    audience: '',
    principal: '',
    tookMs: 0,
  })
  t.regex(unknown[0]?.reason ?? '', /"orders".*ledger, billing\.internal/)
  t.is(one.reached.length + two.reached.length, 4)
})

test('every policy that cannot be used is named at start', async (t) => {
  const gate = { upstream: 'http://ledger-app:8080', policy: '/nowhere/policy.json' }
  const list = [{ host: 'a', ...gate }, { host: 'b', ...gate, invokers: ['user:x@y.z'] }, gate]
  const error = await t.throwsAsync(listenGates(t, list, { events: createEvents() }))
  t.deepEqual(
    error?.message.split('\n').map((line) => line.replace(/; .*/, '')),
    [
      'a: the policy /nowhere/policy.json cannot be used: it cannot be read (ENOENT)',
      'b: the policy /nowhere/policy.json cannot be used: it cannot be read (ENOENT)',
      'the policy /nowhere/policy.json cannot be used: it cannot be read (ENOENT)',
    ],
  )
})

test('a token for the whole URL of a call is told as that', async (t) => {
  const { send, decisions } = await startGate(t, { audiences: ['http://ledger:8080'] })
  await send(['Authorization', bearer({ aud: 'http://ledger:8080/tasks/1' })])
  await send(['Authorization', bearer({ aud: 'http://other:8080' })])
  const [whole, other] = decisions()
  t.regex(whole?.reason ?? '', /whole URL of a call, as Cloud Tasks and Cloud Scheduler/)
  t.notRegex(other?.reason ?? '', /whole URL/)
})

test('a fault while a call is recorded ends that call, and not the process', async (t) => {
  const { upstream, reached } = await startService(t, (req, res) => {
    res.writeHead(200, { 'Content-Length': '1000' })
    res.write('half', () => req.socket.resetAndDestroy())
  })
  const named = () => 'orders'
  for (const [type, callerOf] of [
    ['gate', named],
    ['gate', async () => named()],
    ['cut', named],
  ] as const) {
    const events = createEvents()
    events.subscribe((event) => {
      if (event.type === type) throw new RangeError('a reader is broken')
    })
    const seen = recordEvents(events)
    const port = (await listenGates(t, [{ upstream }], { events, callerOf })).get(0) ?? 0
    for (const calls of [1, 2]) {
      await t.throwsAsync(send(port, ['Authorization', bearer()]))
      const faults = seen.filter((event) => event.type === 'notice').map(({ code, text }) => `${code} ${text}`)
      t.is(faults.length, calls, type)
      t.regex(faults[calls - 1] ?? '', /^INTERNAL .*RangeError/)
    }
  }
  t.is(reached.length, 6)
})
