/** Local tokens, and receivers that verify them: docs/wire.md, "Claims" and docs/minting.md, "The local issuer". */

import test from 'ava'
import { OAuth2Client } from 'google-auth-library'
import { decodeProtectedHeader, errors, jwtVerify } from 'jose'
import { readClaims } from '../../src/core/token.ts'
import { type Sidemint, startSidemint } from '../../src/index.ts'
import { accountId } from '../../src/issuer/account-id.ts'
import { createClock, HOUR, SECOND } from '../clock.ts'
import { ask, DEFAULT_ACCOUNT, remoteKeys } from '../http-client.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
const AUDIENCE = 'https://billing.example/x?y=1'
let server: Sidemint
test.before(async () => {
  server = await startSidemint({ serviceAccount: EMAIL })
})
test.after.always(() => server.close())

const identity = async (url: string, query = '') =>
  (await ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${encodeURIComponent(AUDIENCE)}${query}`)).body

for (const [format, more] of [
  ['standard', {}],
  ['full', { email: EMAIL, email_verified: true }],
] as const) {
  test(`the claims of a ${format} token are Google's, neither more nor fewer`, async (t) => {
    const clock = createClock(Date.UTC(2026, 0, 1) + 999)
    await using own = await startSidemint({ serviceAccount: EMAIL, now: clock.now })
    const token = await identity(own.url, `&format=${format}`)
    const iat = Date.UTC(2026, 0, 1) / SECOND
    t.deepEqual(readClaims(token), {
      aud: AUDIENCE,
      azp: accountId(EMAIL),
      ...more,
      exp: iat + 3_600,
      iat,
      iss: own.url,
      sub: accountId(EMAIL),
    })
    const { keys } = JSON.parse((await ask(own.url, '/oauth2/v3/certs')).body)
    t.deepEqual(decodeProtectedHeader(token), { alg: 'RS256', kid: keys[0].kid, typ: 'JWT' })
  })
}

test('an account id is 21 digits that begin with 1, the same for an email everywhere', (t) => {
  t.is(
    accountId('default@sidemint-local.iam.gserviceaccount.com'),
    accountId('default@sidemint-local.iam.gserviceaccount.com'),
  )
  const emails = Array.from({ length: 500 }, (_, index) => `a${index}@acme-dev.iam.gserviceaccount.com`)
  for (const email of emails) t.regex(accountId(email), /^1\d{20}$/)
  t.is(new Set(emails.map(accountId)).size, emails.length)
})

test('a receiver with jose verifies a token by nothing but the issuer and its discovery document', async (t) => {
  const token = await identity(server.url, '&format=full')
  const issuer = String(readClaims(token)?.iss)
  const discovery = JSON.parse((await ask(issuer, '/.well-known/openid-configuration', { headers: {} })).body)
  t.is(discovery.issuer, issuer)
  t.is(discovery.jwks_uri, server.jwksUri)
  const { payload } = await jwtVerify(token, remoteKeys(discovery.jwks_uri), {
    issuer,
    audience: AUDIENCE,
    algorithms: ['RS256'],
  })
  t.is(payload.email, EMAIL)
})

test('a receiver with jose refuses a token for another audience, another issuer, and one of another server', async (t) => {
  await using other = await startSidemint()
  const keys = remoteKeys(server.jwksUri)
  const token = await identity(server.url)
  await t.throwsAsync(jwtVerify(token, keys, { audience: 'https://other.example' }), {
    instanceOf: errors.JWTClaimValidationFailed,
  })
  await t.throwsAsync(jwtVerify(token, keys, { issuer: other.issuer }), { instanceOf: errors.JWTClaimValidationFailed })
  await t.throwsAsync(jwtVerify(await identity(other.url), keys), { instanceOf: errors.JWKSNoMatchingKey })
})

/** google-auth-library as a receiver, with our certificates in the place of Google's. */
const receiver = (url: string) =>
  new OAuth2Client({ endpoints: { oauth2FederatedSignonPemCertsUrl: `${url}/oauth2/v1/certs` }, issuers: [url] })

test('google-auth-library verifies a token by the certificates', async (t) => {
  const ticket = await receiver(server.url).verifyIdToken({
    idToken: await identity(server.url, '&format=full'),
    audience: AUDIENCE,
  })
  t.is(ticket.getPayload()?.email, EMAIL)
  t.is(ticket.getPayload()?.iss, server.url)
})

test('google-auth-library refuses a token of another server', async (t) => {
  await using other = await startSidemint()
  await t.throwsAsync(receiver(server.url).verifyIdToken({ idToken: await identity(other.url), audience: AUDIENCE }), {
    message: /No pem found/,
  })
})

test('the discovery documents may be cached for a minute and are JSON', async (t) => {
  for (const path of ['/.well-known/openid-configuration', '/oauth2/v3/certs', '/oauth2/v1/certs']) {
    for (const method of ['GET', 'HEAD']) {
      const { status, headers } = await ask(server.url, path, { method, headers: {} })
      t.is(status, 200)
      t.is(headers['content-type'], 'application/json')
      t.is(headers['cache-control'], 'public, max-age=60')
    }
  }
  const jwks = JSON.parse((await ask(server.url, '/oauth2/v3/certs')).body)
  const certificates = JSON.parse((await ask(server.url, '/oauth2/v1/certs')).body)
  t.deepEqual(
    Object.keys(certificates),
    jwks.keys.map(({ kid }: { kid: string }) => kid),
  )
  t.false(JSON.stringify(jwks).includes('"d"'), 'the public half only')
})

test('the issuer is what --issuer says, Google only where it says so', async (t) => {
  await using own = await startSidemint({ issuer: 'https://accounts.google.com' })
  t.is(own.issuer, 'https://accounts.google.com')
  t.is(readClaims(await identity(own.url))?.iss, 'https://accounts.google.com')
  t.is(readClaims(await identity(server.url))?.iss, server.url)
})

test('an access token is opaque, says local, and lives an hour', async (t) => {
  const { body } = await ask(server.url, `${DEFAULT_ACCOUNT}/token`)
  const { access_token, expires_in } = JSON.parse(body)
  t.regex(access_token, /local/)
  t.is(readClaims(access_token), undefined)
  t.true(expires_in > 3_590 && expires_in <= HOUR / SECOND)
})

const GCLOUD = '32555940559.apps.googleusercontent.com'

test("a person's token is as gcloud has it: gcloud's audience, a numeric subject, the domain, at_hash", async (t) => {
  const { at_hash, exp, iat, ...claims } = readClaims(await server.issueToken({ user: 'ann@acme.com' })) ?? {}
  t.deepEqual(claims, {
    iss: server.issuer,
    aud: GCLOUD,
    azp: GCLOUD,
    sub: accountId('ann@acme.com'),
    hd: 'acme.com',
    email: 'ann@acme.com',
    email_verified: true,
  })
  t.regex(String(at_hash), /^[\w-]{22}$/)
  t.is(Number(exp) - Number(iat), 3_600)
})

test("a person's token takes claims and a lifetime, and a consumer's account has no domain", async (t) => {
  const options = { user: 'ann@gmail.com', claims: { email_verified: false }, expiresInSeconds: -60 }
  const claims = readClaims(await server.issueToken(options))
  t.like(claims, { email: 'ann@gmail.com', email_verified: false, hd: undefined })
  t.true(Number(claims?.exp) < Date.now() / 1_000)
})
