import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { OAuth2Client } from 'google-auth-library'
import { decodeProtectedHeader, jwtVerify } from 'jose'
import { type Sidemint, startSidemint } from '../../src/index.ts'
import { readAccessToken } from '../../src/issuer/access-token.ts'
import { loadKeys } from '../../src/issuer/key-file.ts'
import { createSigningKeys } from '../../src/issuer/keys.ts'
import { createClock, HOUR, MINUTE } from '../clock.ts'
import { ask, DEFAULT_ACCOUNT, remoteKeys } from '../http-client.ts'

const AUDIENCE = 'https://billing.example'
const root = mkdtempSync(join(tmpdir(), 'sidemint-rotation-'))
test.after.always(() => rm(root, { recursive: true, force: true }))

let made = 0
const freshPath = () => join(root, `${made++}.pem`)

const identity = async ({ url }: Sidemint) =>
  (await ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${encodeURIComponent(AUDIENCE)}`)).body
const kidOf = (token: string) => decodeProtectedHeader(token).kid ?? ''

async function publishedBy({ url }: Sidemint): Promise<string[]> {
  const { keys } = JSON.parse((await ask(url, '/oauth2/v3/certs')).body)
  return keys.map(({ kid }: { kid: string }) => kid)
}

async function certifiedBy({ url }: Sidemint): Promise<string[]> {
  return Object.keys(JSON.parse((await ask(url, '/oauth2/v1/certs')).body))
}

/** Verifies as a receiver that fetches the keys each time. */
async function verifies(t: ExecutionContext, server: Sidemint, token: string): Promise<void> {
  const { payload } = await jwtVerify(token, remoteKeys(server.jwksUri), {
    issuer: server.issuer,
    audience: AUDIENCE,
  })
  t.is(payload.aud, AUDIENCE)
}

test('a rotation changes the key that signs, also for an audience that was cached, and both tokens verify', async (t) => {
  await using server = await startSidemint()
  const before = await identity(server)
  await server.rotateKeys()
  const after = await identity(server)
  t.not(kidOf(after), kidOf(before))
  t.true((await publishedBy(server)).every((kid) => kid.startsWith('local-')))
  await verifies(t, server, before)
  await verifies(t, server, after)
})

test('a receiver that keeps keys takes the tokens of the next key without fetching again', async (t) => {
  await using server = await startSidemint()
  let fetched = 0
  const receiver = new OAuth2Client({
    endpoints: { oauth2FederatedSignonPemCertsUrl: `${server.url}/oauth2/v1/certs` },
    issuers: [server.issuer],
  })
  receiver.transporter.interceptors.request.add({
    resolved: async (config) => {
      fetched += 1
      return config
    },
  })
  const verify = async () => receiver.verifyIdToken({ idToken: await identity(server), audience: AUDIENCE })
  await verify()
  await server.rotateKeys()
  t.is((await verify()).getPayload()?.aud, AUDIENCE)
  t.is(fetched, 1)
})

test('the key before is published until its tokens are over, and no longer, and of each key there is a certificate', async (t) => {
  const clock = createClock(Date.UTC(2026, 0, 1))
  await using server = await startSidemint({ now: clock.now })
  const before = kidOf(await identity(server))
  t.deepEqual(await certifiedBy(server), await publishedBy(server))
  await server.rotateKeys()
  clock.advance(HOUR)
  t.true((await publishedBy(server)).includes(before))
  t.deepEqual(await certifiedBy(server), await publishedBy(server))
  clock.advance(2 * MINUTE)
  t.false((await publishedBy(server)).includes(before))
  t.deepEqual(await certifiedBy(server), await publishedBy(server))
})

test('a token that was made to live longer keeps its key published, for a day at the most', async (t) => {
  const clock = createClock(Date.UTC(2026, 0, 1))
  await using server = await startSidemint({ now: clock.now })
  const [first = ''] = await publishedBy(server)
  await server.issueToken({ audience: AUDIENCE, expiresInSeconds: 1e9 })
  await server.rotateKeys()
  clock.advance(24 * HOUR)
  t.true((await publishedBy(server)).includes(first))
  clock.advance(2 * MINUTE)
  t.false((await publishedBy(server)).includes(first))
})

test('rotations that are ordered at once are done one after the other', async (t) => {
  await using server = await startSidemint()
  const [first = ''] = await publishedBy(server)
  await Promise.all([server.rotateKeys(), server.rotateKeys(), server.rotateKeys()])
  const kids = await publishedBy(server)
  t.is(new Set(kids).size, 5, 'one signs, one is next, three before')
  t.is(kids.at(-1), first)
  t.is(kidOf(await identity(server)), kids[0] ?? '')
})

test('after a restart the key file signs with the new key and publishes what it did before', async (t) => {
  const keyFile = freshPath()
  const first = await startSidemint({ keyFile })
  const before = await identity(first)
  await first.rotateKeys()
  const published = await publishedBy(first)
  await first.close()
  t.is((await stat(keyFile)).mode & 0o777, 0o600)
  await using again = await startSidemint({ keyFile })
  t.deepEqual(await publishedBy(again), published)
  t.is(kidOf(await identity(again)), published[0] ?? '')
  const { payload } = await jwtVerify(before, remoteKeys(again.jwksUri))
  t.is(payload.aud, AUDIENCE)
})

test('of a key that signs no more the file keeps the public half alone, and tools read its first key', async (t) => {
  const keyFile = freshPath()
  const keys = createSigningKeys({ settings: { keyFile }, warn: () => {}, now: Date.now })
  await keys.rotate()
  await keys.rotate()
  const text = await readFile(keyFile, 'utf8')
  t.is(text.match(/BEGIN PRIVATE KEY/g)?.length, 2, 'the one that signs, and the next')
  t.is(text.match(/BEGIN PUBLIC KEY/g)?.length, 2)
  t.true(createPrivateKey(text).equals((await keys.signing()).privateKey))
  t.deepEqual(
    (await loadKeys(keyFile, () => {})).retired.map(({ kid }) => kid),
    (await keys.published()).slice(2).map(({ kid }) => kid),
  )
})

test('a file whose further keys are damaged is an error that names it', async (t) => {
  const keyFile = freshPath()
  await createSigningKeys({ settings: { keyFile }, warn: () => {}, now: Date.now }).rotate()
  const text = await readFile(keyFile, 'utf8')
  await writeFile(keyFile, text.replace(/(BEGIN PUBLIC KEY-----\n).*/, '$1AAAA'))
  await t.throwsAsync(startSidemint({ keyFile }), { code: 'KEY_FILE_BROKEN', message: /a public key in it/ })
  await writeFile(keyFile, text.replace(/(Signs next:\n.*\n).*/, '$1AAAA'))
  await t.throwsAsync(startSidemint({ keyFile }), { code: 'KEY_FILE_BROKEN', message: /its next key/ })
})

test('a file of the user is left alone until a rotation, which replaces what a link leads to', async (t) => {
  const target = freshPath()
  const keyFile = freshPath()
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const own = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  await writeFile(target, own, { mode: 0o600 })
  await symlink(target, keyFile)
  await using server = await startSidemint({ keyFile })
  await publishedBy(server)
  t.is(await readFile(target, 'utf8'), own)
  await server.rotateKeys()
  t.true((await readFile(target, 'utf8')).includes('BEGIN PUBLIC KEY'))
  t.true((await readFile(keyFile, 'utf8')).includes('BEGIN PUBLIC KEY'))
})

test('where the key file cannot be written nothing is rotated', async (t) => {
  const directory = await mkdtemp(join(root, 'gone-'))
  const keyFile = join(directory, 'key.pem')
  await using server = await startSidemint({ keyFile })
  const [first = ''] = await publishedBy(server)
  await rm(directory, { recursive: true })
  await t.throwsAsync(server.rotateKeys(), { code: 'KEY_FILE_UNREADABLE', message: /ENOENT/ })
  t.is((await publishedBy(server))[0], first)
  t.is(kidOf(await identity(server)), first)
  await mkdir(directory)
  await server.rotateKeys()
  t.not((await publishedBy(server))[0], first)
})

test('an access token says whom it speaks for and until when, to us alone, and over a rotation', async (t) => {
  const keys = createSigningKeys({ settings: {}, warn: () => {}, now: Date.now })
  const { createLocalSource } = await import('../../src/issuer/local.ts')
  const source = createLocalSource({ keys, issuer: () => 'http://issuer', now: Date.now })
  const principal = 'orders@acme-dev.iam.gserviceaccount.com'
  const { value, expiresAtMs } = await source.mint({ kind: 'access', principal, scopes: ['email'] })
  await keys.rotate()
  t.deepEqual(await readAccessToken(keys, value, Date.now()), { principal, scopes: ['email'], expiresAtMs })
  t.is(await readAccessToken(keys, value, expiresAtMs), undefined, 'it has ended')
})

test('an access token that was changed, is of another server or is an ID token says nothing', async (t) => {
  const keys = createSigningKeys({ settings: {}, warn: () => {}, now: Date.now })
  const others = createSigningKeys({ settings: {}, warn: () => {}, now: Date.now })
  const { createAccessToken } = await import('../../src/issuer/access-token.ts')
  const grant = { principal: 'a@acme-dev.iam.gserviceaccount.com', scopes: [], expiresAtMs: Date.now() + HOUR }
  const token = await createAccessToken(keys, grant)
  const [prefix, signature, payload = ''] = token.split('.')
  const other = Buffer.from(JSON.stringify({ ...grant, principal: 'b@acme-dev.iam.gserviceaccount.com' }))
  const [, , idPayload] = (await keys.sign({ ...grant })).split('.')
  for (const wrong of [
    `${prefix}.${signature}.${other.toString('base64url')}`,
    `${prefix}.${payload}.${signature}`,
    `${prefix}.${signature}`,
    `${token}.`,
    `${prefix}..${payload}`,
    `${prefix}.${idPayload}.${payload}`,
    await createAccessToken(others, grant),
    await keys.sign({ ...grant }),
    '',
  ]) {
    t.is(await readAccessToken(keys, wrong, Date.now()), undefined, wrong)
  }
  t.truthy(await readAccessToken(keys, token, Date.now()))
})
