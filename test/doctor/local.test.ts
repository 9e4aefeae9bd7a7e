import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { startSidemint } from '../../src/index.ts'
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
    t.regex(line, /^(ok {4}(source|ADC {4}|network|default|port {3}|shell {2}|alias {2}) {2,3}|\s{15})\S/)
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

test.serial('the port may be taken by a sidemint, and by nobody else', async (t) => {
  await using metadata = await startSidemint()
  const { port } = new URL(metadata.url)
  t.like((await findings(t, ['--port', port])).of('port')[0], {
    status: 'ok',
    what: `a sidemint answers at 127.0.0.1:${port}`,
  })
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
  t.like(of('port'), [{ status: 'ok', what: `a sidemint answers at 127.0.0.1:${port}` }])
})

test.serial('a server that hangs is given up', async (t) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  t.teardown(() => {
    silent.closeAllConnections()
    silent.close()
  })
  await new Promise((resolve) => silent.once('listening', resolve))
  const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const { of } = await findings(t, FREE, { GCE_METADATA_HOST: address })
  t.regex(of('shell')[0]?.what ?? '', /none answers \(no answer\)/)
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
