import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { startSidemint } from '../../src/index.ts'
import { ask, DEFAULT_ACCOUNT, V1 } from '../http-client.ts'
import { run, scratch } from './run.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'

/** A suite of tests: it orders a failure, writes what it sees into the file that is its first argument, and ends with 7. */
const TELL = `
  const { GCE_METADATA_HOST: host } = process.env
  const { SIDEMINT_SERVER: server, SIDEMINT_CONTROL_SECRET: secret } = process.env
  const headers = { 'Metadata-Flavor': 'Google' }
  const { writeFileSync } = await import('node:fs')
  const email = await fetch('http://' + host + '${DEFAULT_ACCOUNT}/email', { headers }).then((r) => r.text())
  await fetch(server + '/_sidemint/control/fail-next', {
    method: 'POST', headers: { Authorization: 'Bearer ' + secret }, body: '{"status":418}' })
  const { status } = await fetch('http://' + host + '${DEFAULT_ACCOUNT}/identity?audience=a', { headers })
  const [file, ...argv] = process.argv.slice(1)
  writeFileSync(file, JSON.stringify({ host, env: process.env, email, status, argv }))
  process.exit(7)`

async function told(flags: readonly string[], env: NodeJS.ProcessEnv = {}, ...parameters: readonly string[]) {
  const file = join(scratch, `${crypto.randomUUID()}.json`)
  const command = [process.execPath, '--input-type=module', '-e', TELL, '--', file, ...parameters]
  const outcome = await run(['exec', ...flags, '--', ...command], env)
  return { ...outcome, told: JSON.parse(readFileSync(file, 'utf8')) }
}

/** What a variable is for a command, and the command's exit code. */
async function variableOf(name: string, flags: readonly string[], env: NodeJS.ProcessEnv) {
  const file = join(scratch, crypto.randomUUID())
  const { code } = await run(['exec', ...flags, '--', 'sh', '-c', `printf %s "$${name}" > "$0"; exit 7`, file], env)
  return { code, value: readFileSync(file, 'utf8') }
}

test('exec gives the command a server of its own with a fresh secret, ends with its exit code and leaves nothing behind', async (t) => {
  const flags = ['--source', 'local', '--service-account', EMAIL]
  const env = { CLOUDSDK_CONFIG: '/mine', SIDEMINT_CONTROL_SECRET: 'correct-horse-battery' }
  const { code, err, told: was } = await told(flags, env, '--port', 'x y')
  t.is(code, 7)
  t.is(was.email, EMAIL)
  t.regex(was.host, /^127\.0\.0\.1:\d+$/)
  t.like(was.env, { SIDEMINT_SERVER: `http://${was.host}`, SIDEMINT_HOST_CLOUDSDK_CONFIG: '/mine' })
  t.is(was.env.GOOGLE_CLOUD_PROJECT, 'sidemint-local')
  t.not(was.env.CLOUDSDK_CONFIG, '/mine')
  t.false(existsSync(was.env.CLOUDSDK_CONFIG))
  t.deepEqual(was.argv, ['--port', 'x y'])
  t.is(was.status, 418, 'as the command ordered it')
  const secret = was.env.SIDEMINT_CONTROL_SECRET
  t.true(secret.length >= 16)
  t.not(secret, env.SIDEMINT_CONTROL_SECRET)
  const { value: next } = await variableOf('SIDEMINT_CONTROL_SECRET', flags, env)
  t.true(next.length >= 16)
  t.false([secret, env.SIDEMINT_CONTROL_SECRET].includes(next), 'each run has its own')
  t.regex(
    err,
    /^sidemint: local tokens as orders@acme-dev\.iam\.gserviceaccount\.com at http:\/\/127\.0\.0\.1:\d+\n[^\n]* INJECTED: [^\n]*\n$/,
  )
  await t.throwsAsync(ask(`http://${was.host}`, `${V1}/`), { code: 'ECONNREFUSED' })
})

test('exec takes a free port where a variable or the file names the port of serve, which may be running', async (t) => {
  await using served = await startSidemint()
  const { port } = new URL(served.url)
  const { code, value: host } = await variableOf('GCE_METADATA_HOST', [], { SIDEMINT_PORT: port })
  t.is(code, 7)
  t.regex(host, /^127\.0\.0\.1:\d+$/)
  t.not(host, `127.0.0.1:${port}`)
  const config = join(scratch, 'own-port.yaml')
  writeFileSync(config, `identities: [{ serviceAccount: ${EMAIL}, port: ${port} }]`)
  t.is((await variableOf('GCE_METADATA_HOST', ['--config', config], {})).code, 7, "an identity's port too")
  const taken = await run(['exec', '--port', port, '--', process.execPath, '--version'])
  t.is(taken.code, 1, 'a flag is meant')
  t.regex(taken.err, /PORT_TAKEN/)
})

test('exec says in one line that a command cannot be run, and no command is misuse', async (t) => {
  const unknown = await run(['exec', '--', 'no-such-command-of-ours'])
  t.is(unknown.code, 127, 'as in a shell')
  t.regex(unknown.err, /\nsidemint: COMMAND_NOT_RUN: cannot run no-such-command-of-ours: ENOENT\. Fix: [^\n]+\n$/)
  t.is((await run(['exec', '--', scratch])).code, 126, 'a directory is there, and cannot be run')
  t.is((await run(['exec'])).code, 2)
  t.is((await run(['exec', '--'])).code, 2)
  const empty = await run(['exec', '--', ''])
  t.is(empty.code, 2, 'an empty variable')
  t.regex(empty.err, /name the command after `--`/)
})

test('exec says which variable to change where it cannot make its directory, and curl too', async (t) => {
  const TMPDIR = join(scratch, 'no-such-directory')
  for (const argv of [
    ['exec', '--', 'true'],
    ['curl', '--source=local', 'http://127.0.0.1:1'],
  ]) {
    const { code, err } = await run(argv, { TMPDIR })
    t.is(code, 1)
    t.regex(err, /DIRECTORY_UNUSABLE: .*no-such-directory\/sidemint- \(ENOENT\)\. Fix: let TMPDIR name [^\n]+\n$/)
  }
})

test('exec warns of a login under HOME, which some clients find whatever the variables say', async (t) => {
  const HOME = join(scratch, 'logged-in-exec')
  mkdirSync(join(HOME, '.config', 'gcloud'), { recursive: true })
  writeFileSync(join(HOME, '.config', 'gcloud', 'application_default_credentials.json'), '{}')
  const { err } = await run(['exec', '--source=local', '--', 'true'], { HOME })
  t.regex(err, /^sidemint: .*application_default_credentials\.json is there: .*Fix: /)
})

const CREDENTIALS = '{ "type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c" }'

test('exec is local unless a flag, a variable or the file says who mints, also where somebody has logged in', async (t) => {
  const HOME = join(scratch, 'with-a-login')
  mkdirSync(join(HOME, '.config', 'gcloud'), { recursive: true })
  const login = join(HOME, '.config', 'gcloud', 'application_default_credentials.json')
  writeFileSync(login, CREDENTIALS)
  const env = { HOME, GOOGLE_APPLICATION_CREDENTIALS: login }
  const config = join(scratch, 'google.yaml')
  writeFileSync(config, 'source: google\n')
  t.regex((await run(['exec', '--', 'true'], env)).err, /^sidemint: local tokens as /m)
  for (const [flags, variables] of [
    [['--source=google'], {}],
    [['--source=auto'], {}],
    [[], { SIDEMINT_SOURCE: 'auto' }],
    [['--config', config], {}],
  ] as const) {
    const { err } = await run(['exec', ...flags, '--', 'true'], { ...env, ...variables })
    t.regex(err, /^sidemint: google tokens as /m, JSON.stringify([flags, variables]))
  }
})

test('exec refuses what is for Google only, where it would sign local tokens', async (t) => {
  const account = `--impersonate-service-account=${EMAIL}`
  for (const [flags, variables, name] of [
    [[account], {}, '--impersonate-service-account'],
    [[], { SIDEMINT_CREDENTIALS: CREDENTIALS }, 'SIDEMINT_CREDENTIALS'],
  ] as const) {
    const { code, err } = await run(['exec', ...flags, '--', 'true'], variables)
    t.is(code, 2)
    t.regex(err, new RegExp(`${name}: .*add --source google`))
  }
  const empty = await run(['exec', '--', 'true'], { SIDEMINT_CREDENTIALS: '' })
  t.is(empty.code, 2)
  t.regex(empty.err, /SIDEMINT_CREDENTIALS: is set and empty .*unset it, or choose --source local/)
  const asked = await run(['exec', account, '--source=local', '--', 'true'])
  t.regex(asked.err, /^sidemint: local tokens as orders@acme-dev/)
})

test('exec says what serve says of a login that cannot mint, before the command runs', async (t) => {
  const login = join(scratch, 'user.json')
  writeFileSync(
    login,
    JSON.stringify({ type: 'authorized_user', client_id: 'i', client_secret: 's', refresh_token: 'r' }),
  )
  const env = { GOOGLE_APPLICATION_CREDENTIALS: login }
  const { err } = await run(['exec', '--source', 'google', '--project', 'x', '--', process.execPath, '--version'], env)
  t.regex(
    err,
    /a user login alone cannot mint ID tokens: no account to impersonate is set\. Fix: --impersonate-service-account EMAIL/,
  )
})
