import { spawn } from 'node:child_process'
import { createHmac, createPublicKey, createVerify, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'ava'
import jsonwebtoken from 'jsonwebtoken'
import { createSigningKeys } from '../../src/issuer/keys.ts'
import { COMPILE_CACHE } from '../compile-cache.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { call, type Stand, startProxy, startStand } from './stand.ts'

const AUDIENCE = 'https://billing.example'
const EMAIL = 'default@sidemint-local.iam.gserviceaccount.com'

let stand: Stand
let receiver: Awaited<ReturnType<typeof startReceiver>>
test.before(async () => {
  stand = await startStand()
  receiver = await startReceiver(stand)
})
test.after.always(async () => {
  await receiver.close()
  await stand.close()
})

const identity = async ({ server }: Stand, audience = AUDIENCE) =>
  (await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${encodeURIComponent(audience)}&format=full`)).body

interface Verdict {
  accepted?: Record<string, unknown>
  refused?: string
  signature?: string
}

/** Google's library in a process of its own, with what it has on Cloud Run and the one variable that Node.js needs. */
async function startReceiver({ port, directory, server }: Stand) {
  const proxy = await startProxy(port)
  const child = spawn(process.execPath, [join(import.meta.dirname, 'receiver.mjs')], {
    env: {
      ...COMPILE_CACHE,
      AUDIENCE,
      GCE_METADATA_HOST: new URL(server.url).host,
      METADATA_SERVER_DETECTION: 'assume-present',
      GOOGLE_CLOUD_PROJECT: 'sidemint-local',
      HOME: directory,
      HTTPS_PROXY: proxy.url,
      NO_PROXY: '127.0.0.1',
      NODE_EXTRA_CA_CERTS: join(directory, 'certificate.pem'),
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ask = async (what: object): Promise<Verdict> => {
    child.stdin.write(`${JSON.stringify(what)}\n`)
    return JSON.parse((await answers.next()).value ?? '')
  }
  return {
    verify: (idToken: string) => ask({ idToken }),
    sign: (text: string) => ask({ text }),
    async close() {
      child.stdin.end()
      await once(child, 'exit')
      proxy.close()
    },
  }
}

test.serial(
  "Google's library, unmodified and in its own process, takes our tokens and goes through a rotation",
  async (t) => {
    const { accepted } = await receiver.verify(await identity(stand))
    t.like(accepted, { iss: 'https://accounts.google.com', aud: AUDIENCE, email: EMAIL, email_verified: true })
    const before = await identity(stand)
    await stand.server.rotateKeys()
    const after = await identity(stand)
    t.not(after, before)
    t.truthy((await receiver.verify(after)).accepted, 'by the keys that it has')
    t.truthy((await receiver.verify(before)).accepted)
  },
)

test('eight wrong tokens are refused by it', async (t) => {
  const good = await identity(stand)
  const [header = '', payload = '', signature = ''] = good.split('.')
  const claims = jsonwebtoken.decode(good) as Record<string, unknown>
  const { kid } = jsonwebtoken.decode(good, { complete: true })?.header ?? {}
  const certificates = (await call(stand, 'https://www.googleapis.com/oauth2/v1/certs')).json
  const published = createPublicKey(String(certificates[kid ?? ''])).export({ type: 'spki', format: 'pem' })
  const other = await createSigningKeys({ settings: {}, warn: () => {}, now: Date.now }).signing()
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const forged = `${encode({ alg: 'HS256', kid, typ: 'JWT' })}.${payload}`
  const issue = async (more: object) =>
    (await stand.server.issueToken({ principal: EMAIL, audience: AUDIENCE, format: 'full', ...more })).value
  const wrong: Record<string, string> = {
    'of another key': jsonwebtoken.sign(claims, other.privateKey, { algorithm: 'RS256', keyid: kid ?? '' }),
    'HS256 with the public key': `${forged}.${createHmac('sha256', published).update(forged).digest('base64url')}`,
    expired: await issue({ expiresInSeconds: -600 }),
    'for another audience': await identity(stand, 'https://other.example'),
    'of another issuer': await issue({ claims: { iss: stand.server.url } }),
    tampered: `${header}.${encode({ ...claims, email: 'root@acme-dev.iam.gserviceaccount.com' })}.${signature}`,
    'of alg none': `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    'an access token': JSON.parse((await ask(stand.server.url, `${DEFAULT_ACCOUNT}/token`)).body).access_token,
  }
  for (const [name, token] of Object.entries(wrong)) {
    t.truthy((await receiver.verify(token)).refused, name)
  }
  t.truthy((await receiver.verify(good)).accepted, 'and it still takes a good one')
})

test("Google's library signs a blob by the stand-in, with nothing but what it has on Cloud Run", async (t) => {
  const { signature = '' } = await receiver.sign('GOOG4-RSA-SHA256')
  const { json } = await call(stand, `https://www.googleapis.com/robot/v1/metadata/x509/${EMAIL}`)
  const { publicKey } = new X509Certificate(String(Object.values(json)[0]))
  t.true(createVerify('sha256').update('GOOG4-RSA-SHA256').verify(publicKey, signature, 'base64'))
})

test('with a stand-in tokens carry Google as issuer, and discovery names each where it is asked', async (t) => {
  t.is(stand.server.issuer, 'https://accounts.google.com')
  const path = '/.well-known/openid-configuration'
  const plain = JSON.parse((await ask(stand.server.url, path)).body)
  t.is(plain.issuer, stand.server.url)
  const { json } = await call(stand, `https://accounts.google.com${path}`)
  t.is(json.issuer, 'https://accounts.google.com')
  t.is(json.jwks_uri, 'https://www.googleapis.com/oauth2/v3/certs')
})

test('the keys are the same over TLS as over HTTP, in both forms, and may be kept for a minute', async (t) => {
  for (const path of ['/oauth2/v3/certs', '/oauth2/v1/certs']) {
    const { status, headers, json } = await call(stand, `https://www.googleapis.com${path}`)
    t.is(status, 200)
    t.is(headers['cache-control'], 'public, max-age=60')
    t.is(headers['content-type'], 'application/json')
    const plain = JSON.parse((await ask(stand.server.url, path)).body)
    t.deepEqual(Object.keys(json.keys ?? json), Object.keys(plain.keys ?? plain))
    t.deepEqual(json.keys, plain.keys)
  }
})

for (const url of ['https://oauth2.googleapis.com/tokeninfo', 'https://www.googleapis.com/oauth2/v3/tokeninfo']) {
  test(`${url} says what an ID token and an access token hold, by GET and by POST`, async (t) => {
    const idToken = await identity(stand)
    const { status, json } = await call(stand, `${url}?id_token=${idToken}`)
    t.is(status, 200)
    t.like(json, { aud: AUDIENCE, email: EMAIL, email_verified: 'true', alg: 'RS256', typ: 'JWT' })
    t.regex(String(json.exp), /^\d+$/)
    const { access_token } = JSON.parse((await ask(stand.server.url, `${DEFAULT_ACCOUNT}/token`)).body)
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const posted = await call(stand, url, { method: 'POST', headers: form, body: `access_token=${access_token}` })
    t.like(posted.json, { email: EMAIL, access_type: 'online' })
    t.regex(String(posted.json.scope), /cloud-platform/)
  })
}

test('tokeninfo refuses what is not a token of ours, as Google does', async (t) => {
  const expired = await stand.server.issueToken({
    principal: EMAIL,
    audience: AUDIENCE,
    format: 'full',
    expiresInSeconds: -10,
  })
  for (const query of [
    'id_token=x',
    'access_token=ya29.x',
    `id_token=${expired.value}`,
    `access_token=${expired.value}`,
  ]) {
    const { status, json } = await call(stand, `https://oauth2.googleapis.com/tokeninfo?${query}`)
    t.is(status, 400)
    t.deepEqual(json, { error: 'invalid_token', error_description: 'Invalid Value' })
  }
  const none = await call(stand, 'https://oauth2.googleapis.com/tokeninfo')
  t.is(none.status, 400)
  t.is(none.json.error, 'invalid_request')
})

test('tokeninfo says that a form is too long, and does not take it for an empty one', async (t) => {
  const long = { method: 'POST', body: `id_token=${'x'.repeat(100_000)}` }
  const { status, json } = await call(stand, 'https://oauth2.googleapis.com/tokeninfo', long)
  t.is(status, 400)
  t.deepEqual(json, { error: 'invalid_request', error_description: 'The form has more than 64 kB.' })
})
