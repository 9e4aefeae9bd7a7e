import { execFile, execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import type { SidemintEvent } from '../../src/core/events.ts'
import { createEvents } from '../../src/core/events.ts'
import { readClaims } from '../../src/core/token.ts'
import { servedAsIs } from '../../src/identity/advice.ts'
import { startServer } from '../../src/server.ts'
import { createClock, HOUR, MINUTE, SECOND } from '../clock.ts'
import { type FakeGoogle, startFakeGoogle } from '../google/start.ts'
import { ask, DEFAULT_ACCOUNT, V1 } from '../http-client.ts'
import { AUDIENCE, CREATOR, ORDERS } from './google/rows.ts'

const A = 'a@acme-dev.iam.gserviceaccount.com'
const B = 'b@acme-dev.iam.gserviceaccount.com'
const ACCOUNTS = `${V1}/instance/service-accounts`

let google: FakeGoogle

test.before(async () => {
  google = await startFakeGoogle()
  google.trust()
})

test.after.always(() => google.close())

/** A server whose credential file is A's key at first, and what one asks of it. */
async function serve(t: ExecutionContext, options: Record<string, unknown> = {}) {
  const name = `${crypto.randomUUID()}.json`
  const path = google.write(name, await google.serviceAccountKey(A))
  const clock = createClock(Date.now())
  const events = createEvents()
  const seen: SidemintEvent[] = []
  events.subscribe((event) => void seen.push(event))
  const server = await startServer({
    settings: settle({ options: { port: 0, source: 'google', ...options } }),
    env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: path },
    now: clock.now,
    events,
    bounds: { attemptMs: 2_000, totalMs: 4_000, retryDelaysMs: [5, 10] },
  })
  t.teardown(() => server.close())
  return {
    path,
    clock,
    seen,
    write: (content: Parameters<FakeGoogle['write']>[1]) => void google.write(name, content),
    get: (key: string) => ask(server.url, key),
    /** The email in an ID token, or the status and code of the refusal. */
    async identity(account: string, audience = AUDIENCE) {
      const { status, body } = await ask(server.url, `${ACCOUNTS}/${account}/identity?audience=${audience}&format=full`)
      return status === 200 ? readClaims(body)?.email : `${status} ${/"error":"(\w+)"/.exec(body)?.[1] ?? ''}`
    },
  }
}

test.serial(
  'after the file changes from one key to another, the default email and its tokens change together',
  async (t) => {
    const { clock, write, get, identity, seen } = await serve(t)
    t.is(await identity('default'), A)
    t.is((await get(`${DEFAULT_ACCOUNT}/email`)).body, A)
    write(await google.serviceAccountKey(B))
    clock.advance(1 * SECOND)
    t.is(await identity('default', 'https://new.example'), B)
    t.is((await get(`${DEFAULT_ACCOUNT}/email`)).body, B)
    t.is(await identity('default'), B)
    t.is(await identity(B), B)
    t.is((await get(`${ACCOUNTS}/`)).body, `${B}/\ndefault/\n`)
    t.is((await get(`${ACCOUNTS}/${A}/identity?audience=${AUDIENCE}`)).status, 404)
    t.true(seen.some((event) => event.type === 'notice' && event.code === 'CREDENTIALS_CHANGED'))
  },
)

test.serial(
  'the request that notices the change asks by the old email, and gets no token of the new account',
  async (t) => {
    const { clock, write, identity } = await serve(t)
    t.is(await identity(A), A)
    write(await google.serviceAccountKey(B))
    clock.advance(1 * SECOND)
    t.is(await identity(A, 'https://new.example'), '403 IMPERSONATION_DENIED')
  },
)

test.serial('a named account that is no longer the credential’s own is impersonated', async (t) => {
  const { clock, write, identity } = await serve(t, { serviceAccount: A })
  const impersonations = () => google.calls.filter(({ grant }) => grant === 'generateIdToken').length
  const before = impersonations()
  t.is(await identity('default'), A)
  t.is(impersonations(), before)
  write(await google.serviceAccountKey(B))
  clock.advance(1 * SECOND)
  t.is(await identity('default', 'https://new.example'), '403 IMPERSONATION_DENIED')
  google.grant(B, CREATOR, A)
  clock.advance(10 * SECOND)
  t.is(await identity('default', 'https://new.example'), A)
  t.is(await identity(A), A)
  google.ungrant(B, CREATOR, A)
})

test.serial('an account that becomes the credential’s own needs no grant any more', async (t) => {
  const { clock, write, identity } = await serve(t, { serviceAccount: B })
  google.serviceAccount(B)
  t.is(await identity('default'), '403 IMPERSONATION_DENIED')
  write(await google.serviceAccountKey(B))
  clock.advance(1 * SECOND)
  t.is(await identity('default'), B)
})

test.serial('the request that notices the change never gets the old account’s token as a stale one', async (t) => {
  const { clock, write, identity } = await serve(t)
  t.is(await identity('default'), A)
  write(await google.serviceAccountKey(B))
  clock.advance(10 * MINUTE)
  const cancel = google.fault({ kind: 'delay', host: 'oauth2.googleapis.com', ms: 600 })
  t.is(await identity('default'), B)
  cancel()
})

test.serial(
  'a file caught half written: old tokens are served, a mint is 503, and a whole file heals it',
  async (t) => {
    const { clock, write, get, identity, seen } = await serve(t)
    t.is(await identity('default'), A)
    const next = JSON.stringify(await google.serviceAccountKey(B))
    write(next.slice(0, next.length / 2))
    clock.advance(1 * SECOND)
    t.is(await identity('default', 'https://new.example'), '503 CREDENTIALS_MALFORMED')
    t.is(await identity('default'), A)
    t.is((await get(`${DEFAULT_ACCOUNT}/email`)).body, A)
    t.is((await get('/_sidemint/ready')).status, 200, 'it passes by itself')
    clock.advance(30 * MINUTE)
    t.is(await identity('default'), A, 'a stale one')
    t.true(seen.some((event) => event.type === 'request' && event.result === 'stale'))
    write(next)
    clock.advance(4 * SECOND)
    t.is(await identity('default', 'https://new.example'), B)
    t.is(await identity('default'), B)
  },
)

test.serial('a file that is away for a moment does no harm, and expired tokens are not served', async (t) => {
  const { clock, path, identity } = await serve(t)
  t.is(await identity('default'), A)
  rmSync(path)
  clock.advance(1 * SECOND)
  t.is(await identity('default', 'https://new.example'), '503 CREDENTIALS_MISSING')
  t.is(await identity('default'), A)
  clock.advance(1 * HOUR)
  t.is(await identity('default'), '503 CREDENTIALS_MISSING')
})

test.serial('a file that is written anew with the same content changes nothing', async (t) => {
  const { clock, write, identity, seen } = await serve(t)
  const key = await google.serviceAccountKey(A)
  write(key)
  clock.advance(1 * SECOND)
  t.is(await identity('default'), A)
  const before = { calls: google.calls.length, events: seen.length }
  write(key)
  clock.advance(1 * SECOND)
  t.is(await identity('default'), A)
  t.is(google.calls.length, before.calls)
  t.false(seen.slice(before.events).some(({ type }) => type === 'notice'))
})

test.serial('a login heals a server that started with a broken file, whatever the clock did', async (t) => {
  const { clock, write, identity } = await serve(t, { serviceAccount: ORDERS })
  write('{')
  clock.advance(1 * SECOND)
  t.is(await identity('default'), '503 CREDENTIALS_MALFORMED')
  write(await google.serviceAccountKey(ORDERS))
  clock.advance(-2 * HOUR)
  t.is(await identity('default'), ORDERS)
})

test.serial('a user login without a principal shows an email to clients, and no sentinel to people', async (t) => {
  const { clock, write, get, identity, seen } = await serve(t, { allowUserTokens: true, project: 'acme-dev' })
  write(google.userLogin('ann@acme.com'))
  clock.advance(1 * SECOND)
  t.is(await identity('default'), 'ann@acme.com')
  const notices = () => seen.flatMap((event) => (event.type === 'notice' ? [`${event.level} ${event.code}`] : []))
  const began = ['info CREDENTIALS_CHANGED', 'warn USER_TOKENS_SERVED']
  t.deepEqual(notices(), began, 'it began with a key')
  t.like(
    seen.findLast(({ type }) => type === 'notice'),
    { text: servedAsIs('user login') },
  )
  const shown = 'default@acme-dev.iam.gserviceaccount.com'
  t.is((await get(`${DEFAULT_ACCOUNT}/email`)).body, shown)
  t.is((await get(`${ACCOUNTS}/`)).body, `default/\n${shown}/\n`)
  t.is(await identity(shown), 'ann@acme.com', 'Python asks by the email that it was shown')
  const { identity: speaker } = seen.findLast((event) => event.type === 'request') ?? {}
  t.is(speaker, '')
  write(google.userLogin('bob@acme.com'))
  clock.advance(1 * SECOND)
  t.is(await identity('default'), 'bob@acme.com')
  t.deepEqual(notices(), [...began, 'info CREDENTIALS_CHANGED'], 'it was a person before')
})

test.serial('what /ready says of a broken login is its code and its fix, without the path of the file', async (t) => {
  const { clock, path, write, get, identity } = await serve(t, { serviceAccount: ORDERS })
  write(google.userLogin('gone@acme.com'))
  google.revoke('gone@acme.com')
  clock.advance(1 * SECOND)
  t.is(await identity('default'), '403 LOGIN_EXPIRED')
  const { status, body } = await get('/_sidemint/ready')
  t.is(status, 503)
  t.regex(
    body,
    /^LOGIN_EXPIRED: gcloud auth application-default login writes another file than GOOGLE_APPLICATION_CRED/,
  )
  t.false(body.includes(path))
})

test.serial(
  'a server whose credentials are a pipe that nobody writes into listens, and heals once somebody does',
  async (t) => {
    const path = join(google.dir, 'pipe')
    execFileSync('mkfifo', [path])
    const { now, advance } = createClock(Date.now())
    const server = await startServer({
      settings: settle({ options: { port: 0, source: 'google' } }),
      env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: path },
      now,
    })
    t.teardown(() => server.close())
    t.is((await ask(server.url, `${V1}/instance/zone`)).status, 200)
    const refused = await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)
    t.is(refused.status, 503)
    t.is(JSON.parse(refused.body).error, 'CREDENTIALS_NOT_READ')
    await writeFile(path, JSON.stringify(await google.serviceAccountKey(A)))
    advance(4 * SECOND)
    t.is((await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)).status, 200)
    t.is((await ask(server.url, `${DEFAULT_ACCOUNT}/email`)).body, A)
  },
)

/** Prints the code that a look fails with while no descriptor is left, and the kind of credential at the next look. */
const EXHAUSTED = `
  import { closeSync, openSync } from 'node:fs'
  import { createCredentials } from ${JSON.stringify(import.meta.resolve('../../src/mint/credentials.ts'))}
  let nowMs = 0
  const credentials = createCredentials({ GOOGLE_APPLICATION_CREDENTIALS: process.argv[1] }, () => nowMs)
  const open = []
  try {
    for (;;) open.push(openSync('/dev/null'))
  } catch {}
  await credentials.look()
  open.forEach((fd) => closeSync(fd))
  const { code, status, message } = credentials.broken()
  nowMs += 1_000
  await credentials.look()
  console.log(JSON.stringify({ code, status, message, kind: credentials.adc()?.credential.kind }))`

test.serial(
  'where no descriptor is left, the file is read again a second later, though it has not changed',
  async (t) => {
    const path = google.write('exhausted.json', google.userLogin('ann@acme.com'))
    const argv = [
      '-c',
      'ulimit -n 64 && exec "$@"',
      'sh',
      process.execPath,
      '--input-type=module',
      '-e',
      EXHAUSTED,
      path,
    ]
    const { stdout } = await promisify(execFile)('sh', argv)
    t.deepEqual(JSON.parse(stdout), {
      code: 'CREDENTIALS_NOT_READ',
      status: 503,
      message: `${path} could not be read just now: EMFILE`,
      kind: 'user',
    })
  },
)

for (const [code, fix, order] of [
  [
    'CREDENTIALS_UNUSABLE',
    /writes another file than GOOGLE_APPLICATION_CREDENTIALS names/,
    { type: 'gdch_service_account' },
  ],
  ['LOGIN_TOO_NARROW', /^gcloud .* writes another file than .*: unset that, or copy .* without --scopes/, 'narrow'],
  ['QUOTA_PROJECT_MISSING', /^set GOOGLE_CLOUD_QUOTA_PROJECT=PROJECT/, 'charged'],
  ['QUOTA_PROJECT_DENIED', /; or name another: GOOGLE_CLOUD_QUOTA_PROJECT=PROJECT$/, 'denied'],
] as const) {
  test.serial(`${code}: no fix writes a file that is not read`, async (t) => {
    const user = `${code.toLowerCase()}@acme.com`
    google.grant(user, CREATOR, ORDERS)
    const scopes = ['openid', 'https://www.googleapis.com/auth/userinfo.email']
    const login = google.userLogin(
      user,
      order === 'narrow' ? { scopes } : order === 'denied' ? { quotaProject: 'not-mine' } : {},
    )
    if (order === 'charged') {
      google.disableApi('764086051850')
      t.teardown(() => google.enableApi('764086051850'))
    }
    const { write, get, clock } = await serve(t, { impersonateServiceAccount: [ORDERS] })
    write(typeof order === 'object' ? order : login)
    clock.advance(1 * SECOND)
    const { body } = await get(`${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)
    const { error, error_description: told } = JSON.parse(body)
    t.is(error, code)
    t.regex(told.split('. Fix: ')[1], fix)
  })
}

test.serial('tokens of five minutes of a workload are kept, its own and those that it impersonates with', async (t) => {
  const { principal } = await google.workloadProvider()
  google.grant(principal('brief'), 'roles/iam.workloadIdentityUser', ORDERS)
  google.exchanged.lifetimeSeconds = 299
  t.teardown(() => (google.exchanged.lifetimeSeconds = 3600))
  const exchanges = () => google.count({ host: 'sts.googleapis.com', status: 200 })
  const server = await serve(t)
  server.write(await google.externalAccount({ from: 'file', subject: 'brief' }))
  server.clock.advance(1 * SECOND)
  const before = exchanges()
  for (let time = 0; time < 3; time += 1) t.is((await server.get(`${DEFAULT_ACCOUNT}/token`)).status, 200)
  t.is(exchanges() - before, 1)
  server.write(await google.externalAccount({ from: 'file', subject: 'brief', impersonate: ORDERS }))
  server.clock.advance(1 * SECOND)
  for (const audience of ['https://a.example', 'https://b.example', 'https://c.example']) {
    t.is(await server.identity('default', audience), ORDERS)
  }
  t.is(exchanges() - before, 2)
})
