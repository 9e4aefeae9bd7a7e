import { join } from 'node:path'
import test from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { startSidemint } from '../../src/index.ts'
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

test('token mints here with a minting flag, and warns where no server can vouch for it', async (t) => {
  const own = await run(['token', '--audience=a', '--source=local', `--service-account=${EMAIL}`, '--format=full'])
  t.is(own.code, 0)
  t.like(readClaims(own.out), { aud: 'a', email: EMAIL })
  t.regex(own.err, /^sidemint: .*no server can vouch for it.*--key-file.*\n$/)
  const issuer = 'http://metadata.google.internal'
  const kept = await run(['token', '--audience=a', '--key-file', join(scratch, 'kept.pem'), `--issuer=${issuer}`])
  t.like(kept, { code: 0, err: '' })
  t.is(readClaims(kept.out)?.iss, issuer)
})

test('token without an audience or with a wrong format is misuse', async (t) => {
  for (const argv of [[], ['--audience='], ['--audience=a', '--format=ful']]) {
    const { code, out, err } = await run(['token', ...argv])
    t.is(code, 2)
    t.is(out, '')
    t.regex(err, /--(?:audience|format): /)
  }
})
