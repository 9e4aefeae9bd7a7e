import { execFile, spawn } from 'node:child_process'
import { createPublicKey, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { JWT } from 'google-auth-library'
import jwt from 'jsonwebtoken'
import type { Adc } from './credentials.ts'
import { type FakeGoogle, startFakeGoogle } from './start.ts'

const CI = 'ci@acme-dev.iam.gserviceaccount.com'
const MIDDLE = 'middle@acme-dev.iam.gserviceaccount.com'
const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const ANN = 'ann@acme.com'
const AUDIENCE = 'https://billing-x.a.run.app'
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const CREATOR = 'roles/iam.serviceAccountTokenCreator'
const OPEN_ID = 'iam.serviceAccounts.getOpenIdToken'

interface Answer {
  status: number | undefined
  headers: Record<string, string | string[] | undefined>
  text: string
  json: Record<string, unknown>
}

interface Ask {
  form?: Record<string, unknown>
  json?: unknown
  headers?: Record<string, string>
}

/** One call over TLS, straight to the fake, as no library of Google's would make it. */
function ask(google: FakeGoogle, url: string, { form, json, headers = {} }: Ask = {}): Promise<Answer> {
  const { hostname, pathname } = new URL(url)
  const body = form ? new URLSearchParams(form as Record<string, string>).toString() : JSON.stringify(json)
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
  const outgoing = request({
    host: '127.0.0.1',
    port: google.tlsPort,
    servername: hostname,
    ca: google.caPem,
    agent: false,
    path: pathname,
    method: body === undefined ? 'GET' : 'POST',
    headers: { Host: hostname, 'Content-Type': type, ...headers },
  })
  return answered(outgoing, body)
}

async function answered(outgoing: ReturnType<typeof httpRequest>, body?: string): Promise<Answer> {
  outgoing.end(body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  const chunks = await response.toArray()
  const text = Buffer.concat(chunks).toString()
  const json = text.startsWith('{') ? JSON.parse(text) : {}
  return { status: response.statusCode, headers: response.headers, text, json }
}

async function userToken(google: FakeGoogle, email = ANN, options: { scopes?: string[] } = {}): Promise<string> {
  const { json } = await ask(google, TOKEN_URL, { form: refreshForm(google.userLogin(email, options)) })
  return String(json.access_token)
}

function refreshForm({ client_id, client_secret, refresh_token }: Adc) {
  return { grant_type: 'refresh_token', client_id, client_secret, refresh_token }
}

/** generateIdToken (or another method) as the bearer of that token. */
function iam(
  google: FakeGoogle,
  token: string,
  more: { body?: object; headers?: object; method?: string; on?: string } = {},
) {
  const { body = {}, headers = {}, method = 'generateIdToken', on = ORDERS } = more
  const url = `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${on}:${method}`
  const usual = method === 'generateIdToken' ? { audience: AUDIENCE } : { scope: [SCOPE] }
  return ask(google, url, { json: { ...usual, ...body }, headers: { Authorization: `Bearer ${token}`, ...headers } })
}

function refused(status: number, code: string, ...reasons: string[]) {
  const details = reasons.map((reason) => ({ reason }))
  return { status, json: { error: { code: status, status: code, ...(reasons.length && { details }) } } }
}

/** What google-auth-library makes of these credentials, in a process of its own behind the proxy. */
async function library(google: FakeGoogle, adc: Adc, name = 'adc.json') {
  const script = fileURLToPath(new URL('library.ts', import.meta.url))
  const options = { env: { ...google.env, PATH: process.env.PATH } }
  const { stdout } = await promisify(execFile)(process.execPath, [script, google.write(name, adc), AUDIENCE], options)
  return JSON.parse(stdout) as { accessToken: unknown; idToken: unknown; claims: Record<string, unknown> }
}

test('the library mints and verifies an ID token with a service account key', async (t) => {
  await using google = await startFakeGoogle()
  const got = await library(google, await google.serviceAccountKey(CI))
  t.like(got.claims, { aud: AUDIENCE, azp: CI, email: CI, email_verified: true, iss: 'https://accounts.google.com' })
  t.is(typeof got.accessToken, 'string')
  t.is(google.count({ host: 'oauth2.googleapis.com', grant: 'jwt-bearer', status: 200 }), 2)
  t.is(google.count({ host: 'www.googleapis.com', path: '/oauth2/v1/certs' }), 1)
  t.deepEqual(google.strangers, [])
})

test('a user login gets an ID token for the OAuth client, whatever audience is asked', async (t) => {
  await using google = await startFakeGoogle()
  const adc = google.userLogin(ANN)
  const got = await library(google, adc)
  t.like(got.claims, { aud: adc.client_id, azp: adc.client_id, email: ANN, hd: 'acme.com' })
  t.is(typeof got.accessToken, 'string')
})

test('the library impersonates through a chain, and only when every hop is granted', async (t) => {
  await using google = await startFakeGoogle()
  const adc = google.impersonated(google.userLogin(ANN), [MIDDLE, ORDERS])
  google.grant(ANN, CREATOR, MIDDLE)
  google.serviceAccount(ORDERS)
  t.regex(JSON.stringify((await library(google, adc)).idToken), /'iam.serviceAccounts.getOpenIdToken' denied/)
  google.grant(MIDDLE, CREATOR, ORDERS)
  const got = await library(google, adc)
  t.like(got.claims, { aud: AUDIENCE, azp: ORDERS, email: ORDERS })
  t.is(typeof got.accessToken, 'string')
  t.like(google.calls.at(-1), { grant: 'certs' })
  t.like(google.calls.at(-2), { grant: 'generateIdToken', principal: ANN, delegates: [MIDDLE], audience: AUDIENCE })
})

test('the library impersonates with an impersonated account as the source', async (t) => {
  await using google = await startFakeGoogle()
  google.grant(CI, CREATOR, MIDDLE)
  google.grant(MIDDLE, CREATOR, ORDERS)
  const inner = google.impersonated(await google.serviceAccountKey(CI), MIDDLE)
  const got = await library(google, google.impersonated(inner, ORDERS))
  t.like(got.claims, { email: ORDERS })
})

for (const from of ['file', 'url'] as const) {
  test(`the library exchanges the subject token of a workload from a ${from}, and impersonates`, async (t) => {
    await using google = await startFakeGoogle()
    const { principal } = await google.workloadProvider()
    const plain = await library(google, await google.externalAccount({ from }))
    t.is(typeof plain.accessToken, 'string')
    const adc = await google.externalAccount({ from, impersonate: ORDERS })
    t.regex(JSON.stringify((await library(google, adc)).accessToken), /denied on resource/)
    google.grant(principal('workload'), 'roles/iam.workloadIdentityUser', ORDERS)
    t.is(typeof (await library(google, adc)).accessToken, 'string')
    t.like(google.calls.at(-1), { grant: 'generateAccessToken', principal: principal('workload'), status: 200 })
    t.is(google.count({ host: 'idp.example.com' }), from === 'url' ? 3 : 0)
  })
}

test('the library refreshes the login of a workforce user', async (t) => {
  await using google = await startFakeGoogle()
  const adc = google.externalAccountAuthorizedUser('ann')
  t.is(typeof (await library(google, adc)).accessToken, 'string')
  const wrong = await library(google, { ...adc, client_secret: 'other' })
  t.regex(JSON.stringify(wrong.accessToken), /invalid_client/)
  google.revoke(google.workforcePrincipal('ann'))
  t.regex(JSON.stringify((await library(google, adc)).accessToken), /invalid_grant/)
})

test('an assertion is refused for each thing that Google checks', async (t) => {
  await using google = await startFakeGoogle()
  const key = await google.serviceAccountKey(CI)
  const other = await google.serviceAccountKey(MIDDLE)
  const now = Math.floor(Date.now() / 1000)
  const right = { iss: CI, aud: TOKEN_URL, iat: now, exp: now + 3600, target_audience: AUDIENCE }
  const exchange = (changes: object, privateKey = key.private_key) => {
    const claims = JSON.parse(JSON.stringify({ ...right, ...changes }))
    const assertion = jwt.sign(claims, String(privateKey), { algorithm: 'RS256' })
    return ask(google, TOKEN_URL, { form: { grant_type: GRANT, assertion } })
  }
  t.is((await exchange({})).status, 200)
  t.is((await exchange({ target_audience: undefined, scope: SCOPE })).status, 200)
  const cases: [object, string, RegExp][] = [
    [{ aud: AUDIENCE }, 'invalid_grant', /Failed audience check/],
    [{ iss: 'nobody@acme-dev.iam.gserviceaccount.com' }, 'invalid_grant', /account not found/],
    [{ exp: now + 3601 }, 'invalid_grant', /short-lived token/],
    [{ iat: now - 3600, exp: now - 301 }, 'invalid_grant', /short-lived token/],
    [{ iat: now + 400, exp: now + 500 }, 'invalid_grant', /short-lived token/],
    [{ exp: undefined }, 'invalid_grant', /short-lived token/],
    [{ scope: SCOPE }, 'invalid_request', /Only one of/],
    [{ target_audience: undefined }, 'invalid_scope', /Invalid OAuth scope or ID token audience/],
    [{ target_audience: undefined, scope: 'everything' }, 'invalid_scope', /Invalid OAuth scope/],
  ]
  for (const [changes, error, description] of cases) {
    const answer = await exchange(changes)
    t.like(answer, { status: 400, json: { error } }, JSON.stringify(changes))
    t.regex(String(answer.json.error_description), description)
  }
  t.like(await exchange({}, other.private_key), {
    status: 400,
    json: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' },
  })
  t.like(await exchange({ sub: ANN }), { status: 401, json: { error: 'unauthorized_client' } })
  google.revoke(CI)
  t.like(await exchange({}), { status: 400, json: { error_description: 'Invalid JWT Signature.' } })
})

test.serial('the library is refused when its key client has scopes and asks for an ID token', async (t) => {
  await using google = await startFakeGoogle()
  const key = await google.serviceAccountKey(CI)
  google.applyEnv()
  const client = new JWT({ email: CI, key: String(key.private_key), scopes: [SCOPE] })
  await t.throwsAsync(client.fetchIdToken(AUDIENCE), { message: /invalid_request/ })
  t.is(google.count({ status: 400 }), 1)
})

test('a refresh token is refused for each thing that Google checks', async (t) => {
  await using google = await startFakeGoogle()
  const adc = google.userLogin(ANN)
  const refresh = (changes: object) => ask(google, TOKEN_URL, { form: { ...refreshForm(adc), ...changes } })
  t.is((await refresh({})).status, 200)
  t.like(await refresh({ client_id: 'who' }), { status: 401, json: { error: 'invalid_client' } })
  t.like(await refresh({ client_secret: 'guess' }), { status: 401, json: { error: 'invalid_client' } })
  t.like(await refresh({ refresh_token: 'guess' }), { status: 400, json: { error: 'invalid_grant' } })
  t.like(await refresh({ grant_type: 'password' }), { status: 400, json: { error: 'unsupported_grant_type' } })
  t.like(await ask(google, TOKEN_URL, { json: refreshForm(adc) }), { status: 400, json: { error: 'invalid_request' } })
  const foreign = google.externalAccountAuthorizedUser('ann').refresh_token
  t.like(await refresh({ refresh_token: foreign }), { status: 401, json: { error: 'unauthorized_client' } })
  google.requireReauth(ANN)
  t.like(await refresh({}), { status: 400, json: { error: 'invalid_grant', error_subtype: 'invalid_rapt' } })
  google.revoke(ANN)
  const error_description = 'Token has been expired or revoked.'
  t.like(await refresh({}), { status: 400, json: { error: 'invalid_grant', error_description } })
})

test('IAM takes no bearer but a live token of this Google with a scope for it', async (t) => {
  await using google = await startFakeGoogle()
  google.grant(ANN, OPEN_ID, ORDERS)
  t.like(await iam(google, 'made-up'), refused(401, 'UNAUTHENTICATED', 'ACCESS_TOKEN_EXPIRED'))
  const idOnly = await userToken(google, ANN, { scopes: ['openid'] })
  t.like(await iam(google, idOnly), refused(403, 'PERMISSION_DENIED', 'ACCESS_TOKEN_SCOPE_INSUFFICIENT'))
  const token = await userToken(google)
  t.is((await iam(google, token)).status, 200)
  google.clock.offsetMs = 3_600_000
  t.like(await iam(google, token), refused(401, 'UNAUTHENTICATED', 'ACCESS_TOKEN_EXPIRED'))
})

test('IAM asks each permission by itself, and tells a missing account only to those who may know', async (t) => {
  await using google = await startFakeGoogle()
  const token = await userToken(google)
  const denied = refused(403, 'PERMISSION_DENIED', 'IAM_PERMISSION_DENIED')
  google.grant(ANN, OPEN_ID, ORDERS)
  t.is((await iam(google, token)).status, 200)
  t.like(await iam(google, token, { method: 'generateAccessToken' }), denied)
  google.ungrant(ANN, OPEN_ID, ORDERS)
  t.like(await iam(google, token), denied)
  t.like(await iam(google, token, { on: 'nobody@acme-dev.iam.gserviceaccount.com' }), denied)
  google.grant(ANN, OPEN_ID, 'acme-dev')
  t.like(await iam(google, token, { on: 'nobody@acme-dev.iam.gserviceaccount.com' }), refused(404, 'NOT_FOUND'))
  t.is((await iam(google, token)).status, 200, 'a permission on the project is one on its accounts')
  t.like(await iam(google, token, { on: 'orders@other.iam.gserviceaccount.com' }), denied)
})

test('a delegation chain is walked hop by hop', async (t) => {
  await using google = await startFakeGoogle()
  const token = await userToken(google)
  const through = (...names: string[]) => iam(google, token, { body: { delegates: names } })
  const name = (email: string) => `projects/-/serviceAccounts/${email}`
  const hop = 'iam.serviceAccounts.implicitDelegation'
  const denied = refused(403, 'PERMISSION_DENIED', 'IAM_PERMISSION_DENIED')
  google.grant(MIDDLE, OPEN_ID, ORDERS)
  t.like(await through(MIDDLE), refused(400, 'INVALID_ARGUMENT'))
  t.like(await through(name(MIDDLE)), denied)
  google.grant(ANN, OPEN_ID, MIDDLE)
  t.like(await through(name(MIDDLE)), denied, 'the permission to mint is not the one to delegate')
  google.grant(ANN, hop, MIDDLE)
  t.is((await through(name(MIDDLE))).status, 200)
  google.grant(ANN, hop, CI)
  t.like(await through(name(CI), name(MIDDLE)), denied)
  google.grant(CI, hop, MIDDLE)
  t.is((await through(name(CI), name(MIDDLE))).status, 200)
})

test('the quota project must be usable and the API on where the call is charged', async (t) => {
  await using google = await startFakeGoogle()
  google.grant(ANN, OPEN_ID, ORDERS)
  google.grant(CI, OPEN_ID, ORDERS)
  const token = await userToken(google)
  const charged = () => iam(google, token, { headers: { 'x-goog-user-project': 'acme-quota' } })
  t.like(await charged(), refused(403, 'PERMISSION_DENIED', 'USER_PROJECT_DENIED'))
  google.grant(ANN, 'roles/serviceusage.serviceUsageConsumer', 'acme-quota')
  t.is((await charged()).status, 200)
  google.disableApi('acme-quota')
  t.like(await charged(), refused(403, 'PERMISSION_DENIED', 'SERVICE_DISABLED'))
  t.is((await iam(google, token)).status, 200)
  google.enableApi('acme-quota')
  t.is((await charged()).status, 200)
  google.disableApi('acme-dev')
  const got = await library(google, google.impersonated(await google.serviceAccountKey(CI), ORDERS))
  t.regex(JSON.stringify(got.idToken), /has not been used in project \d+ before or it is disabled/)
})

test('the claims follow includeEmail and useEmailAzp, and the body is checked', async (t) => {
  await using google = await startFakeGoogle()
  google.grant(ANN, CREATOR, ORDERS)
  const token = await userToken(google)
  const claims = async (body: object) =>
    jwt.decode(String((await iam(google, token, { body })).json.token), { json: true })
  const bare = await claims({})
  t.deepEqual(Object.keys(bare ?? {}).sort(), ['aud', 'azp', 'exp', 'iat', 'iss', 'sub'])
  t.regex(String(bare?.azp), /^1\d{20}$/)
  t.is((bare?.exp ?? 0) - (bare?.iat ?? 0), 3600)
  t.like(await claims({ includeEmail: true }), { azp: bare?.sub, email: ORDERS, email_verified: true })
  t.like(await claims({ useEmailAzp: true }), { azp: ORDERS })
  const invalid = refused(400, 'INVALID_ARGUMENT')
  const wrong = [
    { audience: '' },
    { audience: undefined },
    { includeEmail: 'true' },
    { delegates: ORDERS },
    { aud: 'x' },
  ]
  for (const body of wrong) t.like(await iam(google, token, { body }), invalid, JSON.stringify(body))
  const access = (body: object) => iam(google, token, { method: 'generateAccessToken', body })
  for (const body of [{ scope: [] }, { scope: ['x'] }, { lifetime: '3601s' }, { lifetime: 60 }, { audience: 'x' }]) {
    t.like(await access(body), invalid, JSON.stringify(body))
  }
  const { status, json } = await access({ lifetime: '60s' })
  t.is(status, 200)
  const left = Date.parse(String(json.expireTime)) - Date.now()
  t.true(left > 50_000 && left <= 60_000, `${left} ms`)
})

test('STS verifies the subject token and everything around it', async (t) => {
  await using google = await startFakeGoogle()
  const provider = await google.workloadProvider()
  const stranger = await google.workloadProvider('other')
  const type = 'urn:ietf:params:oauth:token-type:'
  const now = Math.floor(Date.now() / 1000)
  const exchange = (changes: object) =>
    ask(google, 'https://sts.googleapis.com/v1/token', {
      form: {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        audience: provider.audience,
        scope: SCOPE,
        requested_token_type: `${type}access_token`,
        subject_token_type: `${type}jwt`,
        subject_token: provider.subjectToken('me'),
        ...changes,
      },
    })
  t.like(await exchange({}), { status: 200, json: { token_type: 'Bearer', expires_in: 3600 } })
  const opaque = { subject_token_type: `${type}saml2`, subject_token: provider.opaqueToken('me') }
  t.is((await exchange(opaque)).status, 200)
  const cases: [object, string][] = [
    [{ subject_token: stranger.subjectToken('me', { aud: provider.audience }) }, 'invalid_grant'],
    [{ subject_token: stranger.subjectToken('me') }, 'invalid_grant'],
    [{ subject_token: provider.subjectToken('me', { iss: 'https://elsewhere' }) }, 'invalid_grant'],
    [{ subject_token: provider.subjectToken('me', { iat: now - 20, exp: now - 10 }) }, 'invalid_grant'],
    [{ subject_token: provider.subjectToken('') }, 'invalid_grant'],
    [{ subject_token: 'no jwt' }, 'invalid_grant'],
    [{ ...opaque, subject_token: 'guess' }, 'invalid_grant'],
    [{ audience: `${provider.audience}-gone` }, 'invalid_target'],
    [{ audience: provider.audience.slice(2) }, 'invalid_request'],
    [{ requested_token_type: `${type}id_token` }, 'invalid_request'],
    [{ subject_token_type: `${type}access_token` }, 'invalid_request'],
    [{ scope: '' }, 'invalid_request'],
    [{ grant_type: 'refresh_token' }, 'invalid_request'],
  ]
  for (const [changes, error] of cases) {
    t.like(await exchange(changes), { status: 400, json: { error } }, JSON.stringify(changes))
  }
})

test('the certificates and the JWKS hold the key that signs', async (t) => {
  await using google = await startFakeGoogle()
  google.grant(ANN, OPEN_ID, ORDERS)
  const token = String((await iam(google, await userToken(google))).json.token)
  const kid = String(jwt.decode(token, { complete: true })?.header.kid)
  const v1 = await ask(google, 'https://www.googleapis.com/oauth2/v1/certs')
  t.notThrows(() => jwt.verify(token, new X509Certificate(String(v1.json[kid])).publicKey, { algorithms: ['RS256'] }))
  t.regex(String(v1.headers['cache-control']), /max-age=\d+/)
  const v3 = await ask(google, 'https://www.googleapis.com/oauth2/v3/certs')
  const keys = v3.json.keys as { kid: string; kty: string }[]
  const jwk = keys.find((key) => key.kid === kid)
  t.notThrows(() => jwt.verify(token, createPublicKey({ key: jwk ?? {}, format: 'jwk' }), { algorithms: ['RS256'] }))
})

test('every fault can be ordered for a host and a path, so many times', async (t) => {
  await using google = await startFakeGoogle()
  const adc = google.userLogin(ANN)
  const refresh = () => ask(google, TOKEN_URL, { form: refreshForm(adc) })
  google.fault({ host: 'sts.googleapis.com', kind: 'status', status: 503 })
  t.is((await refresh()).status, 200)
  google.fault({ host: 'oauth2.googleapis.com', path: '/token', kind: 'status', status: 503, times: 2 })
  t.like(await refresh(), { status: 503, json: { error: 'internal_failure' } })
  t.is((await refresh()).status, 503)
  t.is((await refresh()).status, 200)
  google.fault({ kind: 'status', status: 429, headers: { 'Retry-After': '1' }, body: 'slow down', times: 1 })
  t.like(await refresh(), { status: 429, text: 'slow down', headers: { 'retry-after': '1' } })
  google.fault({ kind: 'garbage', times: 1 })
  t.regex((await refresh()).text, /^<<</)
  google.fault({ kind: 'body', body: { access_token: 7 }, times: 1 })
  t.deepEqual((await refresh()).json, { access_token: 7 })
  google.fault({ kind: 'contentType', type: 'text/plain', times: 1 })
  t.like(await refresh(), { status: 200, headers: { 'content-type': 'text/plain' } })
  google.fault({ kind: 'reset', times: 1 })
  await t.throwsAsync(refresh(), { code: 'ECONNRESET' })
  const takeBack = google.fault({ kind: 'delay', ms: 300 })
  const begun = Date.now()
  t.is((await refresh()).status, 200)
  t.true(Date.now() - begun >= 290)
  takeBack()
  google.fault({ kind: 'hang' })
  const { length: before } = google.calls
  const hanging = refresh()
  while (google.calls.length === before) await new Promise((done) => setTimeout(done, 5))
  t.is(await Promise.race([hanging, new Promise((done) => setTimeout(done, 300, 'hangs'))]), 'hangs')
  google.clearFaults()
  t.is((await refresh()).status, 200)
  await google.close()
  await t.throwsAsync(hanging)
})

test('a shifted clock is seen in Date, in the tokens and by the checks', async (t) => {
  await using google = await startFakeGoogle()
  const key = await google.serviceAccountKey(CI)
  google.clock.offsetMs = 200_000
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: CI, aud: TOKEN_URL, iat: now, exp: now + 3600, target_audience: AUDIENCE }
  const assertion = jwt.sign(claims, String(key.private_key), { algorithm: 'RS256' })
  const exchange = () => ask(google, TOKEN_URL, { form: { grant_type: GRANT, assertion } })
  const { json, headers } = await exchange()
  const ahead = Date.parse(String(headers.date)) - Date.now()
  t.true(ahead > 140_000 && ahead <= 201_000, `${ahead} ms`)
  const iat = jwt.decode(String(json.id_token), { json: true })?.iat ?? 0
  t.true(iat - now >= 199 && iat - now <= 260, `${iat - now} s`)
  google.clock.offsetMs = -400_000
  t.like(await exchange(), { status: 400, json: { error: 'invalid_grant' } })
})

test('the metadata server wants the flavor and answers as a machine does', async (t) => {
  await using google = await startFakeGoogle()
  const get = (path: string, headers: Record<string, string> = { 'Metadata-Flavor': 'Google' }) =>
    answered(
      httpRequest(`http://${google.metadata.host}/computeMetadata/v1/instance/service-accounts/${path}`, { headers }),
    )
  const email = String(google.metadata.email)
  t.is((await get('default/email')).text, email)
  t.is((await get(`${email}/email`)).headers['metadata-flavor'], 'Google')
  t.is((await get('default/email', {})).status, 403)
  t.is((await get('default/email', { 'Metadata-Flavor': 'Google', 'X-Forwarded-For': '1.2.3.4' })).status, 403)
  t.is((await get('other@acme-dev.iam.gserviceaccount.com/email')).status, 404)
  t.like(await get('default/identity'), { status: 400, text: 'non-empty audience parameter required' })
  const standard = jwt.decode((await get(`default/identity?audience=${AUDIENCE}`)).text, { json: true })
  t.deepEqual([standard?.aud, standard?.email], [AUDIENCE, undefined])
  const full = jwt.decode((await get(`default/identity?audience=${AUDIENCE}&format=full`)).text, { json: true })
  t.like(full, { email, google: { compute_engine: { project_id: 'acme-dev' } } })
  const { json } = await get('default/token')
  google.grant(email, OPEN_ID, ORDERS)
  t.is((await iam(google, String(json.access_token))).status, 200)
  google.fault({ host: 'metadata.google.internal', path: '/token', kind: 'status', status: 503, times: 1 })
  t.is((await get('default/token')).status, 503)
  google.metadata.email = undefined
  t.like(await get('default/token'), { status: 404, json: { error: 'invalid_request' } })
})

test('the proxy leads to Google alone and names who else was asked for', async (t) => {
  await using google = await startFakeGoogle()
  const connect = httpRequest(google.proxyUrl, { method: 'CONNECT', path: 'example.com:443' }).end()
  const [response] = (await once(connect, 'connect')) as [IncomingMessage]
  t.is(response.statusCode, 502)
  t.deepEqual(google.strangers, ['example.com:443'])
  t.is((await ask(google, 'https://oauth2.googleapis.com/tokeninfo')).status, 404)
})

test('the record of the calls holds no secret', async (t) => {
  await using google = await startFakeGoogle()
  google.grant(ANN, CREATOR, ORDERS)
  const token = await userToken(google)
  await iam(google, token, { method: 'generateAccessToken' })
  await iam(google, 'made-up')
  const record = JSON.stringify(google.calls)
  t.true(google.secrets.has(token))
  t.false([...google.secrets].some((secret) => record.includes(secret)))
  t.notRegex(record, /eyJ|made-up/)
})

test.serial('the environment of this process is put back on close', async (t) => {
  const before = { ...process.env }
  const google = await startFakeGoogle()
  google.applyEnv()
  t.is(process.env.HTTPS_PROXY, google.proxyUrl)
  await google.close()
  t.deepEqual({ ...process.env }, before)
})

test('it runs by itself from a description and writes the credentials', async (t) => {
  await using other = await startFakeGoogle()
  const free = { host: '127.0.0.1', tlsPort: 0, proxyPort: 0, metadataPort: 0, dir: other.dir }
  const users = [{ email: ANN, file: 'ann/adc.json', quotaProject: 'acme-dev' }]
  const grants = [
    [ANN, CREATOR, ORDERS],
    [ANN, 'serviceusage.services.use', 'acme-dev'],
  ]
  const FAKE_GOOGLE = JSON.stringify({ ...free, users, keys: [{ email: CI, file: 'ci.json' }], grants })
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, FAKE_GOOGLE },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill())
  const [line] = await once(child.stdout, 'data')
  const { proxyUrl } = JSON.parse(String(line)) as { proxyUrl: string }
  const google = { ...other, env: { ...other.env, HTTPS_PROXY: proxyUrl } }
  const read = (name: string): Adc => JSON.parse(readFileSync(`${other.dir}/${name}`, 'utf8'))
  t.like((await library(google, read('ci.json'), 'a.json')).claims, { email: CI })
  const adc = { ...other.impersonated(read('ann/adc.json'), ORDERS), quota_project_id: 'acme-dev' }
  t.like((await library(google, adc, 'b.json')).claims, { email: ORDERS })
  child.kill()
  t.deepEqual(await once(child, 'exit'), [0, null])
})
