import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import { startSidemint } from '../../src/index.ts'
import { start } from '../commands/run.ts'
import { freePort } from '../free-port.ts'
import { doctor, findings, inAProcess, workInEmptyDirectory } from './doctor.ts'

test.after.always(workInEmptyDirectory())

const FREE = ['--port', '0']

test('without credentials everything is in order, and said to be local', async (t) => {
  const { all, of, text } = await findings(t, FREE)
  t.deepEqual(
    all.filter(({ status }) => status !== 'ok'),
    [],
  )
  t.regex(of('source')[0]?.what ?? '', /^local: no Google credentials/)
  t.regex(of('network')[0]?.what ?? '', /Google is not asked from here/)
  t.like(of('default')[0]?.claims, {
    aud: 'https://doctor.sidemint.invalid',
    email: 'default@sidemint-local.iam.gserviceaccount.com',
    email_verified: true,
  })
  t.false(text.includes('eyJ'))
})

test('where only gcloud itself is logged in, the other login is named', async (t) => {
  const HOME = mkdtempSync(join(tmpdir(), 'sidemint-home-'))
  t.teardown(() => rmSync(HOME, { recursive: true, force: true }))
  mkdirSync(join(HOME, '.config', 'gcloud'), { recursive: true })
  writeFileSync(join(HOME, '.config', 'gcloud', 'credentials.db'), '')
  const { of } = await findings(t, FREE, { HOME })
  t.like(of('ADC'), [{ status: 'warn', fix: 'gcloud auth application-default login' }])
  t.regex(of('ADC')[0]?.what ?? '', /gcloud is logged in \(\S+\/credentials\.db\).*libraries/)
  t.like((await findings(t, [...FREE, '--source', 'local'], { HOME })).of('ADC'), [{ status: 'ok' }])
})

test('a key of another universe is said to be of that, and Google is not asked', async (t) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = {
    type: 'service_account',
    client_email: 'orders@acme.example.iam.gserviceaccount.com',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    universe_domain: 'example.goog',
  }
  const { of, text } = await findings(t, FREE, {
    GOOGLE_APPLICATION_CREDENTIALS: file(t, 'key.json', JSON.stringify(key)),
    HTTPS_PROXY: 'http://127.0.0.1:1',
  })
  t.regex(of('ADC')[0]?.what ?? '', /service account key of orders@\S+ of the universe example\.goog in /)
  t.true(of('network').every(({ what }) => what.includes('.example.goog')))
  t.false(text.includes('googleapis.com'))
  t.false(text.includes('PRIVATE KEY'))
})

test('each finding is one aligned line, without colours where nobody watches', async (t) => {
  const { exitCode, stdout, stderr } = await doctor(t, FREE)
  t.is(exitCode, 0)
  t.is(stderr, '')
  const lines = stdout.trimEnd().split('\n')
  for (const line of lines)
    t.regex(
      line,
      /^(ok {4}(version|source|ADC {4}|network|default|port {3}|shell {2}|alias {2}|compose) {2,3}|\s{15})\S/,
    )
  t.false(stdout.includes('eyJ'))
})

test('every identity of the file is tried', async (t) => {
  const { of } = await findings(t, FREE, {
    SIDEMINT_CONFIG: file(
      t,
      'sidemint.yaml',
      'identities: [{ serviceAccount: orders@a.iam.gserviceaccount.com, callers: [orders] }]',
    ),
  })
  t.like(of('orders')[0], { status: 'ok', claims: { email: 'orders@a.iam.gserviceaccount.com' } })
})

test('a key file that is unusable fails with its code and its fix', async (t) => {
  const path = file(t, 'key.pem', 'no key')
  const { of } = await findings(t, [...FREE, '--source', 'local', '--key-file', path])
  t.like(of('identities')[0], { status: 'fail', code: 'KEY_FILE_BROKEN' })
  t.regex(of('identities')[0]?.fix ?? '', /RSA private key/)
  const { stdout, exitCode } = await doctor(t, [...FREE, '--source', 'local', '--key-file', path])
  t.is(exitCode, 1)
  t.regex(
    stdout,
    /^FAIL {2}identities {2}KEY_FILE_BROKEN: the key file .* is unusable.*\n {18}fix: put an RSA private key/m,
  )
})

test.serial('a sidemint that runs is asked first: for whom it speaks, and for a token', async (t) => {
  await using metadata = await startSidemint({
    serviceAccount: 'orders@acme-dev.iam.gserviceaccount.com',
    project: 'acme-dev',
  })
  const { port } = new URL(metadata.url)
  for (const [flags, env] of [
    [['--port', port], {}],
    [['--server', metadata.url], {}],
    [FREE, { SIDEMINT_SERVER: metadata.url }],
  ] as const) {
    const { all, of, text } = await findings(t, [...flags], env)
    t.is(all[1]?.check, 'server', 'before all that this process finds out')
    t.like(of('server'), [{ status: 'ok' }, { status: 'ok', claims: { aud: 'https://doctor.sidemint.invalid' } }])
    t.is(
      of('server')[0]?.what,
      `a sidemint answers at ${metadata.url}: it speaks for orders@acme-dev.iam.gserviceaccount.com, in the project acme-dev`,
    )
    t.deepEqual(of('port'), [])
    t.true(of('shell')[0]?.what.includes(`eval "$(sidemint env --server ${metadata.url})"`), of('shell')[0]?.what)
    t.false(text.includes('eyJ'))
  }
})

test.serial('what this shell lacks is only a warning where the server that runs gives tokens', async (t) => {
  await using metadata = await startSidemint()
  const missing = { GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent/key.json' }
  const beside = await findings(t, ['--server', metadata.url], missing)
  t.like(beside.of('ADC'), [{ status: 'warn', code: 'CREDENTIALS_MISSING' }])
  t.false(beside.all.some(({ status }) => status === 'fail'))
  const inImage = await findings(t, ['--server', metadata.url], { ...missing, SIDEMINT_IMAGE: 'true' })
  t.like(inImage.of('ADC'), [{ status: 'fail' }], 'in the image both have the same settings')
  t.like((await findings(t, FREE, missing)).of('ADC'), [{ status: 'fail' }])
})

test.serial('a server may allow no audience that doctor asks for, or have no account for this caller', async (t) => {
  const refusing = await startSidemint({ allowAudience: ['https://ledger.example'] })
  t.teardown(() => refusing.close())
  const { of } = await findings(t, ['--server', refusing.url])
  t.like(of('server'), [{ status: 'ok' }, { status: 'ok' }], 'an allow-list is meant')
  t.regex(
    of('server')[1]?.what ?? '',
    /^no token was tried: the audience https:\/\/doctor\.sidemint\.invalid is not allowed here$/,
  )

  const email = 'orders@acme-dev.iam.gserviceaccount.com'
  const strange = await startSidemint({ identities: [{ serviceAccount: email, callers: ['10.0.0.1'] }] })
  t.teardown(() => strange.close())
  const found = (await findings(t, ['--server', strange.url])).of('server')
  t.like(found, [{ status: 'ok' }])
  t.is(found.length, 1)
  t.regex(found[0]?.what ?? '', /it has no identity for whoever asks from here/)
})

test.serial('a server whose last mint failed for good is said to be not ready, with its code and fix', async (t) => {
  const config = file(t, 'sidemint.yaml', '')
  const port = String(await freePort())
  const served = start(['serve', '--port', port, '--config', config], {
    GOOGLE_APPLICATION_CREDENTIALS: file(
      t,
      'login.json',
      JSON.stringify({ type: 'authorized_user', client_id: 'i', client_secret: 's', refresh_token: 'r' }),
    ),
  })
  await served.said(/sidemint \S+ at http/)
  const { of } = await findings(t, ['--port', port])
  t.like(of('server'), [{ status: 'ok' }, { status: 'fail', code: 'USER_TOKEN_AUDIENCE' }])
  t.is(of('server').length, 2, 'its answer and its readiness are one failure')
  t.regex(of('server')[1]?.fix ?? '', /--impersonate-service-account/)
  served.stop()
  await served.ended
})

test.serial('in the image nothing of the host is needed: no Docker, no free port, no variable', async (t) => {
  await using metadata = await startSidemint()
  const env = { SIDEMINT_IMAGE: 'true', PATH: '/nonexistent' }
  const { all, of } = await findings(t, ['--server', metadata.url], env)
  t.deepEqual(
    all.filter(({ status }) => status !== 'ok'),
    [],
  )
  t.regex(of('compose')[0]?.what ?? '', /no compose file is here/)
  t.deepEqual(of('shell'), [])
  const alone = await findings(t, ['--port', String(await freePort())], env)
  t.regex(alone.of('server')[0]?.what ?? '', /^no metadata server answers at http:\/\/127\.0\.0\.1:\d+$/)
  const settings = file(t, 'sidemint.yaml', 'projekt: x')
  const stack = `services: { sidemint: { image: sidemint, environment: { SIDEMINT_CONFIG: ${settings} }, volumes: ["/on/the/host:${dirname(settings)}"] } }`
  const { stdout } = await doctor(t, [...FREE, '--json', '--compose', '-'], env, stack)
  t.regex(stdout, /projekt: unknown setting/, 'the file as it lies in the container')
})

test.serial('the port may be free, or taken by somebody else', async (t) => {
  const free = String(await freePort())
  t.like((await findings(t, ['--port', free])).of('port'), [
    { status: 'ok', what: `127.0.0.1:${free} is free for \`sidemint serve\`` },
  ])
  const other = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await new Promise((resolve) => other.once('listening', resolve))
  const taken = String((other.address() as AddressInfo).port)
  t.like((await findings(t, ['--port', taken])).of('port')[0], { status: 'fail', code: 'PORT_TAKEN' })
})

test.serial("the shell's variables must lead to a metadata server", async (t) => {
  await using metadata = await startSidemint()
  const { host } = new URL(metadata.url)
  const pointed = (to: string) => ({ GCE_METADATA_HOST: to, GCE_METADATA_IP: to, GCE_METADATA_ROOT: to })
  const good = await findings(t, FREE, pointed(host))
  t.like(good.of('shell'), [
    { status: 'ok', what: `GCE_METADATA_HOST, GCE_METADATA_IP, GCE_METADATA_ROOT: a sidemint answers at ${host}` },
  ])
  const dead = await findings(t, FREE, pointed('127.0.0.1:1'))
  t.like(dead.of('shell'), [
    {
      status: 'fail',
      fix: 'start one with `sidemint serve`, or: unset GCE_METADATA_HOST GCE_METADATA_IP GCE_METADATA_ROOT',
    },
  ])
  const schemed = await findings(t, FREE, { GCE_METADATA_HOST: `http://${host}` })
  t.like(schemed.of('shell'), [{ status: 'ok' }, { status: 'fail', fix: `export GCE_METADATA_HOST=${host}` }])
})

test.serial("a metadata server that is not ours is taken for Google's, also by the shell's variables", async (t) => {
  for (const body of ['ok\n', 'computeMetadata/\n']) {
    const google = createServer((_, response) => {
      response.writeHead(body === 'ok\n' ? 404 : 200, { 'Metadata-Flavor': 'Google' }).end(body)
    }).listen(0, '127.0.0.1')
    t.teardown(() => google.close())
    await new Promise((resolve) => google.once('listening', resolve))
    const address = `127.0.0.1:${(google.address() as AddressInfo).port}`
    t.like((await findings(t, FREE, { GCE_METADATA_HOST: address })).of('shell'), [
      { status: 'ok', what: `GCE_METADATA_HOST: a metadata server answers at ${address}` },
    ])
  }
})

test.serial('a sidemint that listens everywhere is found on its port', async (t) => {
  await using metadata = await startSidemint({ host: '0.0.0.0' })
  const { port } = new URL(metadata.url)
  const { of } = await findings(t, ['--host', '0.0.0.0', '--port', port])
  t.regex(of('server')[0]?.what ?? '', new RegExp(`^a sidemint answers at http://127\\.0\\.0\\.1:${port}: `))
})

test('a server that hangs is given up', async (t) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  t.teardown(() => {
    silent.closeAllConnections()
    silent.close()
  })
  await new Promise((resolve) => silent.once('listening', resolve))
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const { of } = await findings(t, FREE, { GCE_METADATA_HOST: address })
  t.regex(of('shell')[0]?.what ?? '', /no metadata server answers \(no answer\)/)
})

test('misuse is exit 2 on stderr, and nothing on stdout', async (t) => {
  for (const flags of [
    ['--composer', 'x'],
    ['--compose'],
    ['--compose', '-', '--compose', 'a.yml'],
    ['compose.yml'],
    ['--port', 'x'],
  ]) {
    const { exitCode, stdout, stderr } = await doctor(t, flags)
    t.is(exitCode, 2, flags.join(' '))
    t.is(stdout, '')
    t.regex(stderr, /SETTINGS_INVALID/)
  }
})

test('a stack is read from stdin, as a shell pipes it', async (t) => {
  const piped = JSON.stringify({ services: { sidemint: { image: 'sidemint', ports: [{ target: 80 }] } } })
  const { exitCode, stdout } = await doctor(t, [...FREE, '--compose', '-'], {}, piped, inAProcess)
  t.is(exitCode, 1)
  t.regex(stdout, /^FAIL {2}compose:sidemint {2}its port 80 is published on every address/m)
})

test('a compose file is looked at besides, and one that fails makes the command fail', async (t) => {
  const path = file(t, 'compose.yml', 'services: { sidemint: { image: sidemint, ports: ["80:80"] } }')
  const { of } = await findings(t, [...FREE, '--compose', path])
  t.like(of('compose:sidemint')[0], { status: 'fail' })
  t.like(of('source')[0], { status: 'ok' })
})

function file(t: { teardown(fn: () => void): void }, name: string, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-doctor-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}
