import { once } from 'node:events'
import { chmodSync, existsSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { readClaims } from '../../src/core/token.ts'
import { startSidemint } from '../../src/index.ts'
import { ask } from '../http-client.ts'
import { run, scratch } from './run.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
const AUDIENCE = 'https://a.example'

test('token prints the token of the server that runs and nothing else', async (t) => {
  await using server = await startSidemint()
  const { code, out, err } = await run(['token', '--audience', AUDIENCE, '--server', server.url])
  t.like({ code, err }, { code: 0, err: '' })
  t.regex(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  t.like(readClaims(out), { aud: AUDIENCE, iss: server.url })
})

test('token --claims prints JSON, of the account that is named and with its email', async (t) => {
  await using server = await startSidemint({ serviceAccount: EMAIL })
  const argv = ['token', `--audience=${AUDIENCE}`, '--claims', '--format=full', `--service-account=${EMAIL}`]
  const { code, out } = await run(argv, { SIDEMINT_SERVER: server.url })
  t.is(code, 0)
  t.like(JSON.parse(out), { aud: AUDIENCE, email: EMAIL, email_verified: true })
})

test('token for an account that the server has not fails with its answer, and exit code 1', async (t) => {
  await using server = await startSidemint()
  const argv = ['token', '--audience=a', '--service-account=no@x.example', '--server', server.url]
  const { code, out, err } = await run(argv)
  t.is(code, 1)
  t.is(out, '')
  t.regex(err, /^sidemint: SERVER_REFUSED: .*404.*no@x\.example.*Fix: .*\n$/)
})

test("what to do about a refusal is the server's own word, where it has one", async (t) => {
  await using server = await startSidemint({ allowAudience: ['https://*.example'] })
  const { err } = await run(['token', '--audience=http://billing:8080', '--server', server.url])
  t.regex(
    err,
    /^sidemint: SERVER_REFUSED: .*400.*not allowed here\. Fix: ask for an audience .*\(https:\/\/\*\.example\)/,
  )
  t.is(err.split('Fix: ').length, 2)
})

test('token without the flag is for the account of the server, whatever account is set for this machine', async (t) => {
  await using server = await startSidemint({ serviceAccount: EMAIL })
  const argv = ['token', `--audience=${AUDIENCE}`, '--claims', '--format=full', '--server', server.url]
  const { out } = await run(argv, { SIDEMINT_SERVICE_ACCOUNT: 'another@acme-dev.iam.gserviceaccount.com' })
  t.is(JSON.parse(out).email, EMAIL)
})

test('token asks the server that was named and no other', async (t) => {
  const gone = await startSidemint()
  await gone.close()
  const { code, out, err } = await run(['token', '--audience=a', '--server', gone.url])
  t.is(code, 1)
  t.is(out, '')
  t.regex(
    err,
    new RegExp(`^sidemint: NO_SERVER: no metadata server answers at ${gone.url} \\(ECONNREFUSED\\)\\. Fix: .*\\n$`),
  )
})

const ONE_TIME =
  /^sidemint: this token is signed with a one-time key that no server publishes, so receivers cannot verify it\. Fix: --key-file[^\n]+\n$/

test('token mints here with a minting flag, and says that nobody can verify a token of a one-time key', async (t) => {
  const own = await run(['token', '--audience=a', '--source=local', `--service-account=${EMAIL}`, '--format=full'])
  t.is(own.code, 0)
  t.like(readClaims(own.out), { aud: 'a', email: EMAIL })
  t.regex(own.err, ONE_TIME)
  t.regex((await run(['token', '--user=ann@acme.com'])).err, ONE_TIME)
})

/** What is signed with the key of a server, so that it is verified by what the server publishes. */
const WITH_KEY = [['--audience=a'], ['--user=ann@acme.com']]

for (const argv of WITH_KEY) {
  test(`token ${argv} with the key file of a server is one of that server's, with nothing to say`, async (t) => {
    const keyFile = join(scratch, `${crypto.randomUUID()}.pem`)
    await using server = await startSidemint({ keyFile })
    const issuer = 'http://metadata.google.internal'
    const kept = await run(['token', ...argv, '--key-file', keyFile, `--issuer=${issuer}`])
    t.like(kept, { code: 0, err: '' })
    t.is(readClaims(kept.out)?.iss, issuer)
    const { keys } = JSON.parse((await ask(server.url, '/oauth2/v3/certs')).body)
    await t.notThrowsAsync(jwtVerify(kept.out.trim(), createLocalJWKSet({ keys })))
  })

  test(`token ${argv} makes no key where the file is missing: receivers would not know it`, async (t) => {
    const keyFile = join(scratch, 'missing.pem')
    const { code, out, err } = await run(['token', ...argv, '--key-file', keyFile])
    t.is(code, 1)
    t.is(out, '')
    t.regex(err, /^sidemint: KEY_FILE_MISSING: there is no key file .*missing\.pem\. Fix: [^\n]+\n$/)
    t.false(existsSync(keyFile))
  })

  test(`token ${argv} warns of a key file that others may read`, async (t) => {
    const keyFile = join(scratch, `${crypto.randomUUID()}.pem`)
    await using _ = await startSidemint({ keyFile })
    chmodSync(keyFile, 0o644)
    const { code, err } = await run(['token', ...argv, '--key-file', keyFile])
    t.is(code, 0)
    t.regex(err, /^sidemint: .* has mode 0644: others .*Fix: chmod 600 .*\.pem\n$/)
  })
}

test('token follows no redirect of the server', async (t) => {
  const server = http.createServer((request, response) => {
    response.setHeader('Metadata-Flavor', 'Google')
    if (request.url?.includes('/identity')) response.writeHead(302, { Location: '/elsewhere' })
    response.end('not a token')
  })
  server.listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { code, out, err } = await run(['token', '--audience=a', `--server=http://127.0.0.1:${port}`])
  t.is(code, 1)
  t.is(out, '')
  t.regex(err, /SERVER_REFUSED: .* answered 302/)
})

test('token without an audience or with a wrong format is misuse', async (t) => {
  for (const argv of [[], ['--audience='], ['--audience=a', '--format=ful']]) {
    const { code, out, err } = await run(['token', ...argv])
    t.is(code, 2)
    t.is(out, '')
    t.regex(err, /--(?:audience|format): /)
  }
})

test('token refuses a person what only a service account can have', async (t) => {
  const argv = ['token', '--user=ann@acme.com', '--audience=a', '--format=full', '--service-account', EMAIL]
  const { code, err } = await run([...argv, '--source=google'])
  t.is(code, 2)
  for (const flag of ['--audience', '--format', '--service-account'])
    t.regex(err, new RegExp(`${flag}: a person's token`))
  t.regex(err, /--user: is for the local source, not for google/)
  t.regex((await run(['token', '--user=ann'])).err, /--user: must be an email, not "?ann/)
})

test('token sees that what listens at --server is no metadata server', async (t) => {
  const other = http.createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const { code, err } = await run(['token', '--audience=a'], { SIDEMINT_SERVER: `http://127.0.0.1:${port}` })
  t.is(code, 1)
  t.regex(err, /^sidemint: NO_SERVER: .*something else listens there/)
})
