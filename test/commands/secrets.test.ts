/** Secrets are planted wherever users have put them, and every output of every command is looked through for them. */

import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ask, DEFAULT_ACCOUNT, V1 } from '../http-client.ts'
import { run, scratch, start } from './run.ts'

const PEM = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const REFRESH = '1//0gPLANTED-refresh-token'
const CLIENT = 'GOCSPX-PLANTED-client-secret'
const ARGUMENT = 'PLANTED-argument'
const PASSWORD = 'PLANTED-password'
const KEY = JSON.stringify({
  type: 'service_account',
  client_email: 'ci@acme-dev.iam.gserviceaccount.com',
  private_key: PEM,
})
const LOGIN = { type: 'authorized_user', client_id: 'id', client_secret: CLIENT, refresh_token: REFRESH }
const FEDERATED = {
  type: 'external_account',
  audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  token_url: 'https://sts.googleapis.com/v1/token',
  credential_source: { executable: { command: `/no/such/idp-token --client-secret=${ARGUMENT}` } },
}
const base64 = (text: string) => Buffer.from(text).toString('base64')

/** A piece of each is enough to find it; of base64 the piece that no other text begins with. */
const SECRETS = [
  ...PEM.split('\n').slice(1, 4),
  REFRESH,
  CLIENT,
  ARGUMENT,
  PASSWORD,
  base64(KEY).slice(0, 40),
  base64(PEM).slice(0, 40),
  'BEGIN PRIVATE KEY',
]

/** It refuses for good, so that no call to Google is tried again; one that nobody listens at is asked three times. */
const proxy = createServer().on('connect', (_, socket) => {
  socket.on('error', () => {}).end('HTTP/1.1 407 Who are you?\r\n\r\n')
})
const DEAD_PROXY = `http://ann:${PASSWORD}@127.0.0.1:9`
let PROXY = ''
test.before(async () => {
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  PROXY = `http://ann:${PASSWORD}@127.0.0.1:${(proxy.address() as AddressInfo).port}`
})
test.after.always(() => proxy.close())

function file(content: unknown): string {
  const path = join(scratch, `${crypto.randomUUID()}.json`)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const PLANTED: [title: string, env: () => NodeJS.ProcessEnv][] = [
  ['a key in its file', () => ({ GOOGLE_APPLICATION_CREDENTIALS: file(KEY) })],
  ['a login in its file', () => ({ GOOGLE_APPLICATION_CREDENTIALS: file(LOGIN) })],
  ['half a login', () => ({ GOOGLE_APPLICATION_CREDENTIALS: file(JSON.stringify(LOGIN).slice(0, -9)) })],
  [
    'a login with its secret as its type',
    () => ({ GOOGLE_APPLICATION_CREDENTIALS: file({ ...LOGIN, type: REFRESH }) }),
  ],
  ['a program with a secret argument', () => ({ GOOGLE_APPLICATION_CREDENTIALS: file(FEDERATED) })],
  ['JSON in the place of the path', () => ({ GOOGLE_APPLICATION_CREDENTIALS: KEY })],
  ['base64 in the place of the path', () => ({ GOOGLE_APPLICATION_CREDENTIALS: base64(KEY) })],
  ['a PEM in the place of the path', () => ({ GOOGLE_APPLICATION_CREDENTIALS: PEM })],
  ['SIDEMINT_CREDENTIALS', () => ({ SIDEMINT_CREDENTIALS: KEY })],
  ['SIDEMINT_CREDENTIALS in base64', () => ({ SIDEMINT_CREDENTIALS: base64(JSON.stringify(LOGIN)) })],
  ['a broken SIDEMINT_CREDENTIALS', () => ({ SIDEMINT_CREDENTIALS: KEY.slice(0, 300) })],
  ['a PEM in SIDEMINT_KEY_FILE', () => ({ SIDEMINT_KEY_FILE: PEM, SIDEMINT_SOURCE: 'local' })],
  ['base64 of a PEM in SIDEMINT_KEY_FILE', () => ({ SIDEMINT_KEY_FILE: base64(PEM), SIDEMINT_SOURCE: 'local' })],
]

const AUDIENCE = 'https://a.example'
const PATHS = [
  '/',
  `${V1}/?recursive=true`,
  `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`,
  `${DEFAULT_ACCOUNT}/token`,
  '/_sidemint/health',
  '/_sidemint/ready',
  '/_sidemint/metrics',
  '/_sidemint/',
  '/_sidemint/requests',
]

/** What a server says in its log at debug, and what it answers. Undefined where it does not start. */
async function serveAll(env: NodeJS.ProcessEnv, format: string): Promise<string> {
  const running = start(['serve', '--port=0', '--log-level=debug', `--log-format=${format}`], env)
  const url = await running.said(/http:\/\/127\.0\.0\.1:\d+/).catch(() => undefined)
  const answers: string[] = []
  for (const path of url === undefined ? [] : PATHS) {
    const { headers, body } = await ask(String(url?.[0]), path)
    answers.push(JSON.stringify(headers), body)
  }
  running.stop()
  const { out, err } = await running.ended
  return [out, err, ...answers].join('\n')
}

const COMMANDS: readonly (readonly string[])[] = [
  ['token', '--audience', AUDIENCE, '--allow-user-tokens'],
  ['token', '--audience', AUDIENCE, '--claims', '--project=acme-dev'],
  ['curl', '--project=acme-dev', 'http://127.0.0.1:9/'],
  ...['shell', 'dotenv', 'compose', 'json'].map((format) => ['env', '--format', format]),
  ['doctor', '--port=0', '--compose=-'],
  ['doctor', '--port=0', '--compose=-', '--json'],
  ['healthcheck', '--port=9'],
]

/** For doctor, which would look for Docker and Podman otherwise: that takes longer than all else here. */
const STACK = '{"services":{"sidemint":{"image":"sidemint"},"web":{"image":"web","depends_on":["sidemint"]}}}'

/** Nor does it run Docker, which gets what doctor got. */
const ALONE = { PATH: '/nonexistent' }

function lookThrough(t: ExecutionContext, output: string, where: string): void {
  for (const secret of SECRETS) t.false(output.includes(secret), `${where} shows ${secret}: ${output.slice(0, 400)}`)
}

for (const [title, planted] of PLANTED) {
  test(`no command shows a planted secret: ${title}`, async (t) => {
    t.timeout(120_000)
    const env = { HTTPS_PROXY: PROXY, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: '1', ...planted() }
    for (const format of ['text', 'json']) lookThrough(t, await serveAll(env, format), `serve in ${format}`)
    for (const argv of COMMANDS) {
      const { code, out, err } = await run(argv, argv[0] === 'doctor' ? { ...env, ...ALONE } : env, STACK)
      t.true(`${out}${err}`.length > 0 || code === 0, `${argv.join(' ')} says nothing`)
      lookThrough(t, `${out}\n${err}`, argv.join(' '))
    }
  })
}

test('no command shows a planted secret: nobody at the proxy', async (t) => {
  const env = { HTTPS_PROXY: DEAD_PROXY, GOOGLE_APPLICATION_CREDENTIALS: file(KEY) }
  const { err } = await run(['token', '--audience', AUDIENCE], env)
  t.regex(err, /NETWORK_DOWN/)
  lookThrough(t, err, 'token')
})

test('no help shows one', async (t) => {
  const env = { SIDEMINT_CREDENTIALS: KEY, SIDEMINT_KEY_FILE: PEM, GOOGLE_APPLICATION_CREDENTIALS: KEY }
  for (const name of ['', 'serve', 'token', 'curl', 'env', 'exec', 'doctor', 'gate', 'healthcheck']) {
    const { out, err } = await run([...(name === '' ? [] : [name]), '--help'], env)
    t.true(out.length > 100)
    lookThrough(t, `${out}${err}`, `${name} --help`)
  }
})

test('a command that is run gets everything but SIDEMINT_CREDENTIALS', async (t) => {
  const told = join(scratch, 'told.json')
  const tell = 'require("node:fs").writeFileSync(process.argv[1], JSON.stringify(process.env))'
  const env = { SIDEMINT_CREDENTIALS: KEY, MINE: 'kept' }
  const { code } = await run(['exec', '--source=google', '--', process.execPath, '-e', tell, told], env)
  t.is(code, 0)
  const theirs = JSON.parse(readFileSync(told, 'utf8'))
  t.is(theirs.MINE, 'kept')
  t.false('SIDEMINT_CREDENTIALS' in theirs)
})

test('credentials that are set and empty are misuse for every command that would mint', async (t) => {
  for (const argv of [
    ['serve', '--port=0'],
    ['token', '--audience=a', '--project=p'],
    ['exec', '--source=google', '--', 'true'],
  ]) {
    const { code, err } = await run(argv, { SIDEMINT_CREDENTIALS: '' })
    t.is(code, 2, argv.join(' '))
    t.regex(err, /SIDEMINT_CREDENTIALS: is set and empty/)
  }
})

for (const argv of [
  ['token', '--audience', AUDIENCE],
  ['curl', 'http://127.0.0.1:9/'],
  ['env'],
  ['explain'],
  ['grants'],
  ['doctor', '--json'],
]) {
  test(`no command shows a server's password, and none takes one: ${argv[0]}`, async (t) => {
    for (const url of [
      `http://ann:${PASSWORD}@127.0.0.1:9`,
      `http://ann:a@${PASSWORD}@127.0.0.1:9`,
      `http://ann:a/${PASSWORD}@127.0.0.1:9`,
    ]) {
      const { code, out, err } = await run(argv, { ...ALONE, SIDEMINT_SERVER: url }, 'a.b.c')
      t.deepEqual([code, out], [2, ''])
      t.regex(err, /SIDEMINT_SERVER: must .*, not "?http:\/\/\*\*\*@/)
      lookThrough(t, err, url)
    }
  })
}
