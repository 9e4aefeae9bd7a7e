import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import { readClaims } from '../../src/core/token.ts'
import { createVerifier } from '../../src/gate/verifier.ts'
import { startServer } from '../../src/server.ts'
import { scratch as root, run } from '../commands/run.ts'
import { startIssuer } from '../gate/issuer.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { startStand } from './stand.ts'

test('--issuer beside --stand-in is misuse, wherever either is said', async (t) => {
  const directory = join(root, 'issuer')
  const issuer = 'http://metadata.google.internal'
  const asked = ['serve', '--source', 'local', '--stand-in', directory]
  for (const outcome of [await run([...asked, '--issuer', issuer]), await run(asked, { SIDEMINT_ISSUER: issuer })]) {
    t.is(outcome.code, 2)
    t.regex(outcome.err, /--issuer: with --stand-in the issuer is Google's/)
  }
  t.false(existsSync(directory))
})

test('with a source that is not local it is refused, and nothing is written', async (t) => {
  const directory = join(root, 'google')
  const settings = settle({
    options: {
      source: 'google',
      port: 0,
      standIn: directory,
      standInPort: 0,
      serviceAccount: 'a@b-project.iam.gserviceaccount.com',
    },
  })
  const error = await t.throwsAsync(startServer({ settings, env: { HOME: root } }), { code: 'SETTINGS_INVALID' })
  t.regex(error?.message ?? '', /--stand-in: is for the local source, and the source is google/)
  t.false(existsSync(directory))
})

test('where the server cannot start, the port of the stand-in is free again', async (t) => {
  await using one = await startStand()
  const taken = Number(new URL(one.server.url).port)
  const settings = { source: 'local', port: taken, standIn: one.directory, standInPort: 0 }
  await t.throwsAsync(startServer({ settings: settle({ options: settings }), env: {} }), { code: 'PORT_TAKEN' })
  // A listener left open would keep this process from ending.
  t.pass()
})

const AUDIENCE = 'http://ledger:8080'
const EMAIL = 'default@sidemint-local.iam.gserviceaccount.com'

test('a gate beside it takes its tokens by the issuer that it trusts already, also after a rotation', async (t) => {
  await using stand = await startStand()
  const verifier = createVerifier({ trust: ['google', stand.server.url] })
  const identity = async () =>
    (await ask(stand.server.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}&format=full`)).body
  const { claims, trusted } = await verifier.verify(await identity())
  t.like(claims, { iss: 'https://accounts.google.com', email: EMAIL })
  t.is(trusted, stand.server.url)
  await stand.server.rotateKeys()
  t.is((await verifier.verify(await identity())).trusted, stand.server.url)
})

test('a gate that trusts Google alone takes none of them, and asks nobody', async (t) => {
  await using stand = await startStand()
  const token = (await ask(stand.server.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)).body
  const verifier = createVerifier({ trust: ['google'] })
  const error = await t.throwsAsync(async () => verifier.verify(token), { code: 'KEY_UNKNOWN' })
  t.regex(String((error as Error & { fix?: string }).fix), /name the sidemint that signs with it in --trust/)
})

test("the gates of the same server take them without a word about it, and none that another key signed in Google's name", async (t) => {
  await using stand = await startStand({
    gates: [
      { host: 'ledger', upstream: 'http://127.0.0.1:1', audience: [AUDIENCE], invoker: [`serviceAccount:${EMAIL}`] },
    ],
  })
  const token = (await ask(stand.server.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}&format=full`)).body
  const [gate = ''] = stand.server.front.urls
  const admitted = await ask(gate, '/', { headers: { Host: 'ledger', Authorization: `Bearer ${token}` } })
  t.is(admitted.status, 502, 'admitted, and nobody is behind it')
  const stranger = await startIssuer()
  t.teardown(() => stranger.close())
  const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString())
  const forged = stranger.sign(readClaims(token) ?? {}, { header })
  const refused = await ask(gate, '/', { headers: { Host: 'ledger', Authorization: `Bearer ${forged}` } })
  t.is(refused.status, 401)
})
