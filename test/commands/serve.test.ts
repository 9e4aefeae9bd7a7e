import { writeFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { startSidemint } from '../../src/index.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { run, scratch, serve } from './run.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
const AUDIENCE = 'https://a.example'

test('serve announces mode, identity, address and variables on stderr, and leaves stdout empty', async (t) => {
  const served = await serve(['--service-account', EMAIL])
  const { host } = new URL(served.url)
  await served.said(/sidemint env/)
  const { body } = await ask(served.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)
  t.is(readClaims(body)?.iss, served.url)
  await served.said(/-> https:\/\/a\.example as orders@acme-dev mint/)
  served.stop('SIGINT')
  const { code, out, err } = await served.ended
  t.is(code, 0)
  t.is(out, '')
  t.regex(err, /source +local: no Google credentials were found/)
  t.true(err.includes(`identity ${EMAIL}`))
  for (const name of ['GCE_METADATA_HOST', 'GCE_METADATA_IP', 'GCE_METADATA_ROOT']) {
    t.true(err.includes(`${name}=${host}`))
  }
  t.true(err.includes('METADATA_SERVER_DETECTION=assume-present'))
  t.regex(err, /SIGINT: stopping\n$/)
  await t.throwsAsync(ask(served.url, '/'), { code: 'ECONNREFUSED' })
})

test('the banner is one record in JSON', async (t) => {
  const served = await serve(['--log-format=json', '--source=local'])
  served.stop()
  const { err } = await served.ended
  const record = JSON.parse(err.split('\n')[0] ?? '')
  const { url } = served
  t.like(record, { level: 'info', event: 'start', url, source: 'local', why: 'as asked', issuer: url })
  const email = 'default@sidemint-local.iam.gserviceaccount.com'
  t.deepEqual(record.identities, [{ email, callers: [], hosts: [], default: true }])
  t.is(record.needed.GCE_METADATA_HOST, new URL(url).host)
})

test('serve says which gates stand where, and each decision with who called whom', async (t) => {
  const config = join(scratch, 'gates.yaml')
  const gate = { host: 'billing', upstream: 'http://127.0.0.1:1', audience: ['http://billing:8080'] }
  const invoker = [`serviceAccount:${EMAIL}`]
  writeFileSync(config, JSON.stringify({ gates: [{ ...gate, invoker, trust: ['google'] }] }))
  const served = await serve(['--config', config, '--gate-port=0'])
  const [, front = ''] = await served.said(/gates +at (http:\/\/127\.0\.0\.1:\d+)\n/)
  await ask(front, '/entries', { headers: { Host: 'billing' } })
  const [, place] = await served.said(
    /gate 127\.0\.0\.1 -> billing GET \/entries refused 403 TOKEN_MISSING: .* See (http\S+#hop-\S+)\n/,
  )
  const { hops } = JSON.parse((await ask(served.url, '/_sidemint/requests')).body)
  t.is(place, `${served.url}/_sidemint/#${hops[0].address}`)
  served.stop()
  const { err } = await served.ended
  t.regex(err, /fronts +billing -> http:\/\/127\.0\.0\.1:1\n/)
  t.true(err.includes(`with tokens for http://billing:8080 of google, ${served.url}`))
})

test('a port that is taken is said in one line with a fix, and exit code 1', async (t) => {
  await using other = await startSidemint()
  const { port } = new URL(other.url)
  const { code, out, err } = await run(['serve', '--port', port])
  t.is(code, 1)
  t.is(out, '')
  t.regex(
    err,
    new RegExp(`^sidemint: PORT_TAKEN: 127\\.0\\.0\\.1:${port} is in use by another process\\. Fix: [^\\n]+\\n$`),
  )
})

test('a key file that is broken is said in one line with its path, and exit code 1', async (t) => {
  const path = join(scratch, 'broken.pem')
  writeFileSync(path, 'hello', { mode: 0o600 })
  const { code, err } = await run(['serve', '--port=0', '--key-file', path])
  t.is(code, 1)
  t.regex(err, /^sidemint: KEY_FILE_BROKEN: [^\n]+\n$/)
  t.true(err.includes(path))
})

test('a key file over restarts gives the same key, made with mode 0600', async (t) => {
  const path = join(scratch, 'restart.pem')
  const kids: string[] = []
  for (let time = 0; time < 2; time++) {
    const served = await serve([], { SIDEMINT_KEY_FILE: path })
    kids.push(JSON.parse((await ask(served.url, '/oauth2/v3/certs')).body).keys[0].kid)
    served.stop()
    await served.ended
  }
  t.is(kids[0], kids[1])
  t.is((await stat(path)).mode & 0o777, 0o600)
})
