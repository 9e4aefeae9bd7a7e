import { once } from 'node:events'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { keepTokenFile } from '../../src/commands/token-file.ts'
import { failure } from '../../src/core/errors.ts'
import { readClaims } from '../../src/core/token.ts'
import { type Sidemint, startSidemint } from '../../src/index.ts'
import { createClock, HOUR, MINUTE, SECOND } from '../clock.ts'
import { freePort } from '../free-port.ts'
import { run, scratch, start } from './run.ts'

const AUDIENCE = 'https://a.example'

let server: Sidemint
test.before(async () => {
  server = await startSidemint()
})
test.after.always(() => server.close())

/** A directory of its own for each test, and the file's place in it. */
function place() {
  const directory = join(scratch, crypto.randomUUID())
  mkdirSync(directory)
  return { directory, file: join(directory, 'token') }
}

const argvOf = (file: string, ...more: string[]) => [
  'token',
  `--audience=${AUDIENCE}`,
  `--server=${server.url}`,
  `--out=${file}`,
  ...more,
]

test('token --out writes the token alone into a file for its user only, and prints nothing', async (t) => {
  const { directory, file } = place()
  t.deepEqual(await run(argvOf(file, '--format=full')), { code: 0, out: '', err: '' })
  t.regex(readFileSync(file, 'utf8'), /^[\w-]+\.[\w-]+\.[\w-]+$/)
  t.like(readClaims(readFileSync(file, 'utf8')), { aud: AUDIENCE, email_verified: true })
  t.is(statSync(file).mode & 0o777, 0o600)
  t.deepEqual(readdirSync(directory), ['token'])
})

test('token --out replaces a file that others may read by one that they may not, and the target of a link', async (t) => {
  const { directory, file } = place()
  writeFileSync(file, 'old')
  chmodSync(file, 0o644)
  const link = join(directory, 'link')
  symlinkSync(file, link)
  t.is((await run(argvOf(link))).code, 0)
  t.true(lstatSync(link).isSymbolicLink())
  t.is(statSync(file).mode & 0o777, 0o600)
  t.like(readClaims(readFileSync(file, 'utf8')), { aud: AUDIENCE })
})

test('token --out makes the file that a link leads to, and leaves the link, where that file is not there yet', async (t) => {
  const { directory, file } = place()
  const link = join(directory, 'link')
  symlinkSync('token', link)
  t.is((await run(argvOf(link))).code, 0)
  t.true(lstatSync(link).isSymbolicLink())
  t.like(readClaims(readFileSync(file, 'utf8')), { aud: AUDIENCE })
})

test('token --out takes the account and the person that token takes', async (t) => {
  const { file } = place()
  const email = 'orders@acme-dev.iam.gserviceaccount.com'
  await run(['token', '--audience=a', '--source=local', `--service-account=${email}`, '--format=full', `--out=${file}`])
  t.like(readClaims(readFileSync(file, 'utf8')), { aud: 'a', email })
  await run(['token', '--user=ann@acme.com', `--out=${file}`])
  t.like(readClaims(readFileSync(file, 'utf8')), { email: 'ann@acme.com' })
})

for (const [argv, what] of [
  [['--out=/'], /--out: "?\/"? is not the name of a file/],
  [['--out='], /--out: /],
  [[`--out=${scratch}`], /--out: .* is a directory; name a file/],
  [['--out=/dev/stdout'], /--out: "?\/dev\/stdout"? is a stream of this process; leave --out out/],
  [['--out=/proc/self/fd/1'], /is a stream of this process; leave --out out/],
  [['--out=/dev/null'], /--out: "?\/dev\/null"? is not a regular file/],
  [['--watch'], /--watch: keeps a file fresh; name it with --out/],
  [['--claims', '--out=/tmp/never-written'], /--claims: /],
] as const) {
  test(`token ${argv.join(' ')} is misuse`, async (t) => {
    const { code, out, err } = await run(['token', '--audience=a', `--server=${server.url}`, ...argv])
    t.like({ code, out }, { code: 2, out: '' })
    t.regex(err, what)
  })
}

test('a directory that is not there is a failure with a code, with --watch too', async (t) => {
  for (const more of [[], ['--watch']]) {
    const { code, out, err } = await run(argvOf('/no/such/token', ...more))
    t.like({ code, out }, { code: 1, out: '' })
    t.regex(
      err,
      /^sidemint: TOKEN_FILE_UNUSABLE: cannot write the token file \/no\/such\/token: no such file or directory \(ENOENT\)\. Fix: [^\n]+\n$/,
    )
  }
})

test('token --watch stays until SIGTERM, which ends it with 0', async (t) => {
  const { directory, file } = place()
  const running = start(argvOf(file, '--watch'))
  await running.said(/wrote /)
  running.stop('SIGTERM')
  const { code, out, err } = await running.ended
  t.deepEqual([code, out], [0, ''])
  t.regex(err, /^sidemint: wrote \S+\/token: its token is valid until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/)
  t.like(readClaims(readFileSync(file, 'utf8')), { aud: AUDIENCE })
  t.deepEqual(readdirSync(directory), ['token'])
})

test('token --watch may start before its server, and says what it waits for', async (t) => {
  const { file } = place()
  const port = await freePort()
  const running = start(['token', '--audience=a', `--server=http://127.0.0.1:${port}`, `--out=${file}`, '--watch'])
  await running.said(/no new token for \S+token, trying again: NO_SERVER: .*ECONNREFUSED.*Fix: start one/)
  await using _ = await startSidemint({ port })
  await running.said(/wrote /)
  running.stop()
  t.like(await running.ended, { code: 0, out: '' })
  t.like(readClaims(readFileSync(file, 'utf8')), { aud: 'a' })
})

test('token --watch waits for what passes by itself, also at its start', async (t) => {
  await using failing = await startSidemint()
  failing.failNext({ status: 503 })
  const { file } = place()
  const running = start(['token', '--audience=a', `--server=${failing.url}`, `--out=${file}`, '--watch'])
  await running.said(/trying again: SERVER_REFUSED: .* 503: INJECTED/)
  await running.said(/wrote /)
  running.stop()
  t.is((await running.ended).code, 0)
})

test('a server that breaks off its answer is said to be gone; one that hangs keeps no signal waiting', async (t) => {
  const identities: ServerResponse[] = []
  const broken = createServer((request, response) => {
    response.writeHead(200, { 'Metadata-Flavor': 'Google' })
    if (request.url === '/') return void response.end()
    response.write('ey')
    if (identities.push(response) === 1) setImmediate(() => response.destroy())
  })
  await once(broken.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => broken.closeAllConnections())
  t.teardown(() => broken.close())
  const { directory, file } = place()
  const { port } = broken.address() as AddressInfo
  const running = start(['token', '--audience=a', `--server=http://127.0.0.1:${port}`, `--out=${file}`, '--watch'])
  await running.said(/trying again: NO_SERVER: /)
  while (identities.length < 2) await once(broken, 'request')
  running.stop()
  t.is((await running.ended).code, 0)
  t.deepEqual(readdirSync(directory), [])
})

test('what does not pass by itself ends token --watch at its start, with the code', async (t) => {
  await using strict = await startSidemint({ allowAudience: ['https://*'] })
  const { file } = place()
  const { code, err } = await run(['token', '--audience=a', `--server=${strict.url}`, `--out=${file}`, '--watch'])
  t.is(code, 1)
  t.regex(err, /^sidemint: SERVER_REFUSED: .*AUDIENCE_NOT_ALLOWED/)
  t.throws(() => statSync(file), { code: 'ENOENT' })
})

const jwt = (endMs: number) => `e30.${Buffer.from(JSON.stringify({ exp: endMs / 1_000 })).toString('base64url')}.x`

/** Watches by a clock of the test's: `onTick` sees each moment, and ends it by returning true. */
async function watch(
  obtain: (nowMs: number) => string,
  onTick: (nowMs: number, file: string) => boolean,
  clock = createClock(),
) {
  const { file } = place()
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  const said: string[] = []
  const latestMs = clock.now() + 24 * HOUR
  await keepTokenFile({
    path: file,
    obtain: async () => obtain(clock.now()),
    say: (text) => said.push(text),
    now: clock.now,
    wait: async (ms) => {
      clock.advance(ms)
      if (clock.now() > latestMs) throw new Error('it has waited for a day')
      if (onTick(clock.now(), file)) stop()
    },
    stopped,
  })
  return { said, file }
}
const endIn = (file: string, nowMs: number) => Number(readClaims(readFileSync(file, 'utf8'))?.exp) * 1_000 - nowMs

test('after the laptop has slept a new token is there within a second', async (t) => {
  const clock = createClock()
  const sleepsAtMs = clock.now() + 5 * MINUTE
  let woken: number | undefined
  await watch(
    (nowMs) => jwt(nowMs + HOUR),
    (nowMs, file) => {
      if (woken === undefined && nowMs >= sleepsAtMs) {
        clock.advance(3 * HOUR)
        woken = clock.now()
      }
      return woken !== undefined && endIn(file, clock.now()) > 55 * MINUTE && clock.now() > woken
    },
    clock,
  )
  t.true(clock.now() - (woken ?? 0) <= 2 * SECOND)
})

test('a clock that is set back gets the file a new token', async (t) => {
  const clock = createClock()
  const startMs = clock.now()
  let obtained = 0
  let isSetBack = false
  await watch(
    (nowMs) => {
      obtained += 1
      return jwt(nowMs + HOUR)
    },
    (nowMs, file) => {
      if (!isSetBack) clock.advance(-10 * HOUR)
      isSetBack = true
      return obtained > 1 && endIn(file, nowMs) <= HOUR
    },
    clock,
  )
  t.true(clock.now() < startMs - 9 * HOUR)
})

test('a server whose tokens live for less than five minutes is asked for the next one in time, and it is said', async (t) => {
  let expired = false
  const clock = createClock()
  const startMs = clock.now()
  const { said } = await watch(
    (nowMs) => jwt(nowMs + 3 * MINUTE),
    (nowMs, file) => {
      expired ||= endIn(file, nowMs) < 2 * MINUTE
      return nowMs > startMs + 20 * MINUTE
    },
    clock,
  )
  t.false(expired)
  t.regex(said[0] ?? '', /less than five minutes: that is all it got/)
})

test('a failure that does not pass keeps the last token, is said once, and ends when the cause is gone', async (t) => {
  const clock = createClock()
  const startMs = clock.now()
  const denied = () => failure('NO_SERVER', { url: 'http://x', reason: 'gone' }, { status: 403 })
  const { said } = await watch(
    (nowMs) => {
      const minute = (nowMs - startMs) / MINUTE
      if (minute > 5 && minute < 30) throw denied()
      return jwt(nowMs + HOUR)
    },
    (nowMs) => nowMs > startMs + 40 * MINUTE,
    clock,
  )
  t.deepEqual(
    said.map((text) => text.replace(/ \S*token[:,].*/, '')),
    ['wrote', 'no new token for', 'wrote'],
  )
  t.regex(said[1] ?? '', /trying again: NO_SERVER: .* \(its token is valid until 2026-01-15T13:00:00Z\)$/)
})

test('what is no token, or has expired, or ends sooner never replaces the token', async (t) => {
  const clock = createClock()
  const startMs = clock.now()
  const first = jwt(startMs + HOUR)
  const others = ['<html>', 'e30.e30.x', jwt(startMs - SECOND), jwt(startMs + 50 * MINUTE)]
  const { said, file } = await watch(
    (nowMs) => (nowMs === startMs ? first : (others.shift() ?? 'a.b.c')),
    () => others.length === 0,
    clock,
  )
  t.is(readFileSync(file, 'utf8'), first)
  t.is(said.filter((text) => text.includes('TOKEN_NOT_KEPT')).length, 3)
})
