import { createVerify, X509Certificate } from 'node:crypto'
import { Agent } from 'node:https'
import test from 'ava'
import { decodeProtectedHeader } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { readClaims } from '../../src/core/token.ts'
import { accountId } from '../../src/issuer/account-id.ts'
import { createClock, HOUR } from '../clock.ts'
import { ask, DEFAULT_ACCOUNT, V1 } from '../http-client.ts'
import { type CallOptions, call, type Stand, startStand } from './stand.ts'

const email = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`
const [ORDERS, SHARED, BILLING] = [email('orders'), email('shared'), email('billing')]

const clock = createClock(Date.now())
let stand: Stand
let token: string
test.before(async () => {
  const identities = [
    { serviceAccount: ORDERS, accounts: [SHARED] },
    { serviceAccount: BILLING, callers: ['10.9.9.9'] },
  ]
  stand = await startStand({ identities }, clock.now)
  token = await bearerOf(stand)
})
test.after.always(() => stand.close())

const bearerOf = async ({ server }: Stand, account = 'default') =>
  JSON.parse((await ask(server.url, `${V1}/instance/service-accounts/${account}/token`)).body).access_token

function iam(
  account: string,
  method: string,
  body: unknown,
  bearer: string | undefined = token,
  more: CallOptions = {},
) {
  const url = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${account}:${method}`
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return call(stand, url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: text,
    ...more,
  })
}

async function certificatesOf(account: string): Promise<Record<string, string>> {
  const { json } = await call(stand, `https://www.googleapis.com/robot/v1/metadata/x509/${account}`)
  return json as Record<string, string>
}

test('signBlob signs by a key whose certificate is published for the account', async (t) => {
  const blob = Buffer.from('GOOG4-RSA-SHA256\nwhat a URL is signed over')
  const { status, json } = await iam(ORDERS, 'signBlob', { payload: blob.toString('base64') })
  t.is(status, 200)
  const certificates = await certificatesOf(encodeURIComponent(ORDERS))
  const { publicKey } = new X509Certificate(certificates[String(json.keyId)] ?? '')
  t.true(createVerify('sha256').update(blob).verify(publicKey, String(json.signedBlob), 'base64'))
  t.regex(String(json.keyId), /^local-/)
  t.deepEqual(await certificatesOf(accountId(ORDERS)), certificates, 'by unique id too')
})

test('signJwt signs the payload as it is given', async (t) => {
  const payload = JSON.stringify({ iss: ORDERS, exp: Math.floor(clock.now() / 1000) + 60, n: 1.5 })
  const { json } = await iam(ORDERS, 'signJwt', { payload })
  const signed = String(json.signedJwt)
  t.is(Buffer.from(signed.split('.')[1] ?? '', 'base64url').toString(), payload)
  const certificates = await certificatesOf(ORDERS)
  t.is(decodeProtectedHeader(signed).kid, String(json.keyId))
  t.truthy(jsonwebtoken.verify(signed, certificates[String(json.keyId)] ?? '', { clockTimestamp: clock.now() / 1000 }))
})

test('what an account signs is never an ID token: its key is none of the issuer', async (t) => {
  const { json } = await iam(ORDERS, 'signJwt', { payload: '{}' })
  const issuers = await call(stand, 'https://www.googleapis.com/oauth2/v1/certs')
  const others = await certificatesOf(BILLING)
  t.false(Object.keys(issuers.json).includes(String(json.keyId)))
  t.false(Object.keys(others).includes(String(json.keyId)), 'nor one of another account')
})

test('generateIdToken and generateAccessToken mint for an account that the caller may name', async (t) => {
  const audience = 'https://billing.example'
  const plain = await iam(SHARED, 'generateIdToken', { audience })
  t.like(readClaims(String(plain.json.token)), { aud: audience, sub: accountId(SHARED), email: undefined })
  const full = await iam(SHARED, 'generateIdToken', { audience, includeEmail: true })
  t.like(readClaims(String(full.json.token)), { iss: 'https://accounts.google.com', email: SHARED })
  const byEmail = await iam(SHARED, 'generateIdToken', { audience, useEmailAzp: true })
  t.like(readClaims(String(byEmail.json.token)), { azp: SHARED, sub: accountId(SHARED), email: undefined })
  const byNumber = await iam(SHARED, 'generateIdToken', { audience })
  t.is(readClaims(String(byNumber.json.token))?.azp, accountId(SHARED))
  const scope = ['https://www.googleapis.com/auth/devstorage.read_only']
  const { json } = await iam(SHARED, 'generateAccessToken', { scope, lifetime: '600s' })
  t.is(json.expireTime, new Date(clock.now() + 600_000).toISOString().replace(/\.\d+Z$/, 'Z'))
  const info = await call(stand, `https://oauth2.googleapis.com/tokeninfo?access_token=${json.accessToken}`)
  t.like(info.json, { email: SHARED, scope: scope[0], expires_in: '600' })
})

test('an account acts as itself and as those that its identity may name, and never the other way round', async (t) => {
  const shared = await bearerOf(stand, SHARED)
  const payload = 'YQ=='
  t.is((await iam(SHARED, 'signBlob', { payload })).status, 200)
  t.is((await iam(SHARED, 'signBlob', { payload }, shared)).status, 200)
  for (const [account, bearer] of [
    [BILLING, token],
    [ORDERS, shared],
    [email('nobody'), token],
    ['%2e%2e', token],
  ] as const) {
    const { status, json } = await iam(account, 'signBlob', { payload }, bearer)
    t.is(status, 403, account)
    t.deepEqual(json.error, {
      code: 403,
      message: "Permission 'iam.serviceAccounts.signBlob' denied on resource (or it may not exist).",
      status: 'PERMISSION_DENIED',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'IAM_PERMISSION_DENIED',
          domain: 'iam.googleapis.com',
          metadata: { permission: 'iam.serviceAccounts.signBlob' },
        },
      ],
    })
  }
})

test('each of a chain of delegates must be one that the one before may act as', async (t) => {
  const named = (account: string) => [`projects/-/serviceAccounts/${account}`]
  const payload = 'YQ=='
  t.is((await iam(SHARED, 'signBlob', { payload, delegates: named(SHARED) })).status, 200)
  t.is((await iam(ORDERS, 'signBlob', { payload, delegates: named(SHARED) })).status, 403)
  t.is((await iam(SHARED, 'signBlob', { payload, delegates: named(BILLING) })).status, 403)
  t.is((await iam(SHARED, 'signBlob', { payload, delegates: [SHARED] })).status, 400)
})

test('without an access token of ours, or with one that has ended, nothing is signed', async (t) => {
  const idToken = (await ask(stand.server.url, `${DEFAULT_ACCOUNT}/identity?audience=a`)).body
  const url = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${ORDERS}:signBlob`
  const missing = await call(stand, url, { method: 'POST', body: '{"payload":"YQ=="}' })
  t.is(missing.status, 401)
  t.like((missing.json.error as { details: object[] }).details[0], { reason: 'CREDENTIALS_MISSING' })
  await using other = await startStand({ serviceAccount: ORDERS })
  for (const bearer of [idToken, await bearerOf(other), 'ya29.x', token.slice(0, -1), `${token}x`]) {
    const { status, headers } = await iam(ORDERS, 'signBlob', { payload: 'YQ==' }, bearer)
    t.is(status, 401)
    t.regex(String(headers['www-authenticate']), /invalid_token/)
  }
})

test('an access token ends after an hour', async (t) => {
  const late = createClock(Date.now())
  await using own = await startStand({ serviceAccount: ORDERS }, late.now)
  const bearer = await bearerOf(own)
  const url = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${ORDERS}:signBlob`
  const sign = () =>
    call(own, url, { method: 'POST', body: '{"payload":"YQ=="}', headers: { authorization: `Bearer ${bearer}` } })
  t.is((await sign()).status, 200)
  late.advance(HOUR + 1)
  t.is((await sign()).status, 401)
})

const WRONG: [method: string, body: unknown, name: string][] = [
  ['signBlob', 'not JSON', 'no JSON'],
  ['signBlob', '[]', 'a list'],
  ['signBlob', {}, 'without a payload'],
  ['signBlob', { payload: '***' }, 'a payload that is not base64'],
  ['signJwt', { payload: '[]' }, 'claims that are a list'],
  ['signJwt', { payload: 'x' }, 'claims that are not JSON'],
  ['signJwt', { payload: '{"exp":1}' }, 'an exp that is over'],
  ['signJwt', { payload: `{"exp":${Math.floor(Date.now() / 1000) + 13 * 3600}}` }, 'an exp in 13 hours'],
  ['signJwt', { payload: '{"exp":"soon"}' }, 'an exp that is text'],
  ['generateIdToken', {}, 'without an audience'],
  ['generateIdToken', { audience: 1 }, 'an audience that is a number'],
  ['generateAccessToken', {}, 'without scopes'],
  ['generateAccessToken', { scope: 'a' }, 'scopes that are no list'],
  ['generateAccessToken', { scope: ['a'], lifetime: '3601s' }, 'a lifetime beyond an hour'],
  ['generateAccessToken', { scope: ['a'], lifetime: 'x' }, 'a lifetime that is none'],
]
for (const [method, body, name] of WRONG) {
  test(`${method} with ${name} is a 400 in Google's form`, async (t) => {
    const { status, json } = await iam(ORDERS, method, body)
    t.is(status, 400)
    t.like(json.error, { code: 400, status: 'INVALID_ARGUMENT' })
  })
}

test('after a body that is too long, read or not, the connection answers the next request', async (t) => {
  const payload = 'A'.repeat(1_500_000)
  for (const bearer of [token, '']) {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    t.teardown(() => agent.destroy())
    const sockets = new Set<unknown>()
    agent.on('free', (socket) => sockets.add(socket))
    t.is((await iam(ORDERS, 'signBlob', { payload }, bearer, { agent })).status, bearer === '' ? 401 : 413)
    t.is((await iam(ORDERS, 'signBlob', { payload: 'YQ==' }, token, { agent })).status, 200)
    const form = { method: 'POST', body: `access_token=${'a'.repeat(200_000)}`, agent }
    const url = 'https://iamcredentials.googleapis.com/tokeninfo'
    t.true((await call(stand, url.replace('iamcredentials', 'oauth2'), form)).status >= 400)
    t.is((await iam(ORDERS, 'signBlob', { payload: 'YQ==' }, token, { agent })).status, 200)
    t.is(sockets.size, 2, 'one for each host')
  }
})

test('a body beyond a megabyte is refused, and a broken percent-encoding does no harm', async (t) => {
  t.is((await iam(ORDERS, 'signBlob', { payload: 'A'.repeat(1_500_000) })).status, 413)
  t.is((await iam('%zz', 'signBlob', { payload: 'YQ==' })).status, 403)
})

test('certificates of an account that nobody has are a 404', async (t) => {
  const { status, json } = await call(stand, `https://www.googleapis.com/robot/v1/metadata/x509/${email('nobody')}`)
  t.is(status, 404)
  t.like(json.error, { status: 'NOT_FOUND' })
})
