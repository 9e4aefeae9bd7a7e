/** What is asked of IAM Credentials, and the lives of tokens to the millisecond, without a network. */

import { generateKeyPairSync } from 'node:crypto'
import test from 'ava'
import type { gaxios } from 'google-auth-library'
import type { Token } from '../../../src/core/token.ts'
import { createIam } from '../../../src/mint/google/iam.ts'
import { createForeignKeyClient } from '../../../src/mint/google/key.ts'
import { createWorkforceClient } from '../../../src/mint/google/logins.ts'
import { Refusal } from '../../../src/mint/google/refusal.ts'
import type { Transport } from '../../../src/mint/google/transport.ts'

const NOW_MS = 5_000_000
const now = () => NOW_MS
const DATE = 'Thu, 01 Jan 2026 00:00:00 GMT'
const EXPIRE_TIME = '2026-01-01T00:01:00Z'
const BEARER: Token = { value: 'ya29.bearer', expiresAtMs: 0, served: 'mint' }
const ID = { kind: 'id', principal: 'a@x', audience: 'https://b.example', format: 'standard' } as const
const ACCESS = { kind: 'access', principal: 'a@x', scopes: [] } as const
const idToken = `e30.${Buffer.from('{"iat":100,"exp":160}').toString('base64url')}.c2ln`

/** Answers every call with that, and keeps what was asked. */
function answering(data: unknown, headers: Record<string, string> = { date: DATE }) {
  const asked: gaxios.GaxiosOptions[] = []
  const request = async (options: gaxios.GaxiosOptions) => {
    asked.push(options)
    if (data instanceof Error) throw data
    return { data, headers: new Headers(headers) }
  }
  return { asked, transport: { gaxios: { request } } as unknown as Transport }
}

const iamOf = ({ transport }: ReturnType<typeof answering>, quotaProject?: string) =>
  createIam({ transport, universe: 'a.example', quotaProject, now })

test('an ID token is asked for with its audience, through the delegates, with an email where the format is full', async (t) => {
  const google = answering({ token: idToken })
  const iam = iamOf(google, 'quota')
  t.is((await iam.generate({ email: 'a@x', delegates: ['h@x'] }, ID, BEARER)).expiresAtMs, NOW_MS + 60_000)
  await iam.generate({ email: '1', delegates: [] }, { ...ID, format: 'full' }, BEARER)
  const common = { method: 'POST', headers: { authorization: 'Bearer ya29.bearer', 'x-goog-user-project': 'quota' } }
  const url = (account: string) =>
    `https://iamcredentials.a.example/v1/projects/-/serviceAccounts/${account}:generateIdToken`
  t.deepEqual(google.asked, [
    {
      ...common,
      url: url('a@x'),
      data: { delegates: ['projects/-/serviceAccounts/h@x'], audience: 'https://b.example', includeEmail: false },
    },
    { ...common, url: url('1'), data: { delegates: [], audience: 'https://b.example', includeEmail: true } },
  ] as unknown[] as typeof google.asked)
})

test('an access token is asked for an hour, or as long as the file says, with the usual scopes or others', async (t) => {
  const google = answering({ accessToken: 'ya29.a', expireTime: EXPIRE_TIME })
  const iam = iamOf(google)
  await iam.generate({ email: 'a@x', delegates: [] }, ACCESS, BEARER)
  await iam.generate({ email: 'a@x', delegates: [], lifetimeSeconds: 600 }, { ...ACCESS, scopes: ['a:1'] }, BEARER)
  t.deepEqual(
    google.asked.map(({ data, headers, url }) => [data, headers, String(url).split(':').at(-1)]),
    [
      [['https://www.googleapis.com/auth/cloud-platform', 'https://www.googleapis.com/auth/userinfo.email'], '3600s'],
      [['a:1'], '600s'],
    ].map(([scope, lifetime]) => [
      { delegates: [], scope, lifetime },
      { authorization: 'Bearer ya29.bearer' },
      'generateAccessToken',
    ]),
  )
})

test("an access token ends by Google's clock, and by our own where Google does not tell its own", async (t) => {
  const lifeOf = async (data: object, headers?: Record<string, string>) => {
    const { generate } = iamOf(answering(data, headers))
    return (await generate({ email: 'a@x', delegates: [] }, ACCESS, BEARER)).expiresAtMs - NOW_MS
  }
  t.is(await lifeOf({ accessToken: 'ya29.a', expireTime: EXPIRE_TIME }), 60_000)
  t.is(await lifeOf({ accessToken: 'ya29.a', expireTime: new Date(NOW_MS + 7_000).toISOString() }, {}), 7_000)
  for (const data of [{ accessToken: 7, expireTime: EXPIRE_TIME }, { accessToken: 'ya29.a' }]) {
    await t.throwsAsync(lifeOf(data), { code: 'UPSTREAM_GARBAGE' })
  }
})

test('a connection is made ready by any answer, also a refusal', async (t) => {
  const google = answering({})
  await iamOf(google).connect()
  t.deepEqual(google.asked, [{ method: 'GET', url: 'https://iamcredentials.a.example/$discovery/rest?version=v1' }])
  await t.notThrowsAsync(iamOf(answering(new Refusal('h', 404, ''))).connect())
  await t.throwsAsync(iamOf(answering(new Error('down'))).connect(), { message: 'down' })
})

test('a key of another universe signs access tokens of an hour itself, and names itself in them', async (t) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const private_key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const google = answering({ token: idToken })
  for (const [private_key_id, kid] of [
    ['k1', 'k1'],
    [7, undefined],
  ] as const) {
    const json = { client_email: 'a@x', private_key, private_key_id }
    const options = {
      name: 'key',
      env: {},
      transport: google.transport,
      iam: iamOf(google),
      universe: 'a.example',
      now,
    }
    const client = createForeignKeyClient(json, options)
    const { value, expiresAtMs } = await client.accessToken(['a:1'])
    t.is(expiresAtMs, NOW_MS + 3_600_000)
    const [head = '', payload = ''] = value.split('.')
    t.is(JSON.parse(Buffer.from(head, 'base64url').toString()).kid, kid)
    t.like(JSON.parse(Buffer.from(payload, 'base64url').toString()), { iss: 'a@x', scope: 'a:1' })
    t.is((await client.idToken?.('https://b.example'))?.value, idToken)
    t.like(google.asked.at(-1)?.data, { audience: 'https://b.example', includeEmail: true })
    t.deepEqual(client.holder(), { name: 'a@x', member: 'serviceAccount:a@x' })
  }
})

test("a workforce login's token lives as long as the answer says", async (t) => {
  const json = { type: 'x', client_id: 'c', client_secret: 's', refresh_token: 'r' }
  const clientOf = (data: object) => {
    const google = answering(data)
    return createWorkforceClient(json, {
      name: 'workforce login',
      env: {},
      transport: google.transport,
      iam: iamOf(google),
      universe: 'googleapis.com',
      now,
    })
  }
  const client = clientOf({ access_token: 'ya29.a', expires_in: 100 })
  const lifeMs = (await client.accessToken([])).expiresAtMs - NOW_MS
  t.true(lifeMs <= 100_000 && lifeMs > 99_900, `${lifeMs}`)
  await t.throwsAsync(clientOf({ access_token: 'ya29.a' }).accessToken([]), { code: 'UPSTREAM_GARBAGE' })
  t.is(client.holder().name, 'the workforce login of pool POOL')
})
