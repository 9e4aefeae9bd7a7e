/** docs/gate.md, "Verifying" */

import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { JWT } from 'google-auth-library'
import jsonwebtoken from 'jsonwebtoken'
import { asFailure } from '../../src/core/errors.ts'
import { createVerifier, type Verifier } from '../../src/gate/verifier.ts'
import { startFakeGoogle } from '../google/start.ts'
import { newKey, startIssuer } from './issuer.ts'
import { startRawService } from './stack.ts'

const CLAIMS = { aud: 'http://ledger:8080', email: 'billing@acme-dev.iam.gserviceaccount.com', email_verified: true }

/** A verifier that answers with a promise also where it knows the token. */
function verifierOf(options: Parameters<typeof createVerifier>[0]) {
  const verifier = createVerifier(options)
  return { verify: async (...asked: Parameters<Verifier['verify']>) => verifier.verify(...asked) }
}

/** A verifier that trusts one new issuer, both on a clock that the test moves. */
async function setUp() {
  const time = { ms: 1_790_000_000_000 }
  const now = () => time.ms
  const issuer = await startIssuer({ now })
  return { time, issuer, verifier: verifierOf({ trust: [issuer.url], now }) }
}

/** The code and the sentence of the refusal. */
async function refusal(verifier: Verifier, token: string) {
  try {
    await verifier.verify(token)
  } catch (error) {
    const { code, status, message } = asFailure(error)
    return { code, status, message }
  }
  return { code: 'none', status: 200, message: 'the token was taken' }
}

/** The keys of an answer are read a moment after it is given. */
async function untilRefused(verifier: Verifier, token: string, code?: string) {
  for (let look = 0; look < 500; look += 1) {
    const refused = await refusal(verifier, token)
    if (code === undefined ? refused.code !== 'none' : refused.code === code) return refused
    await setTimeout(10)
  }
  return refusal(verifier, token)
}

test('a token that was verified before is answered without a promise', async (t) => {
  const issuer = await startIssuer()
  const verifier = createVerifier({ trust: [issuer.url] })
  const token = issuer.sign(CLAIMS)
  const first = await verifier.verify(token)
  t.deepEqual(verifier.verify(token), first)
})

test('a good token of a trusted issuer gives its claims', async (t) => {
  const { issuer, verifier } = await setUp()
  const { claims, trusted } = await verifier.verify(issuer.sign(CLAIMS))
  t.is(claims.email, CLAIMS.email)
  t.is(claims.iss, issuer.url)
  t.is(trusted, issuer.url)
})

test.serial(
  "Google's tokens are verified by Google's keys, fetched once, through the proxy of HTTPS_PROXY",
  async (t) => {
    const google = await startFakeGoogle()
    t.teardown(google.close)
    google.applyEnv()
    const key = await google.serviceAccountKey(CLAIMS.email)
    const client = new JWT({ email: CLAIMS.email, key: String(key.private_key) })
    const verifier = createVerifier({ trust: ['google'] })
    const token = await client.fetchIdToken(CLAIMS.aud)
    const { claims, trusted } = await verifier.verify(token)
    t.like(claims, { ...CLAIMS, iss: 'https://accounts.google.com' })
    t.is(trusted, 'google')
    await verifier.verify(await client.fetchIdToken('https://other.example'))
    t.is(google.count({ host: 'www.googleapis.com', path: '/oauth2/v3/certs' }), 1)
  },
)

test('a key vouches for no issuer but its own', async (t) => {
  const one = await startIssuer()
  const other = await startIssuer()
  const verifier = createVerifier({ trust: ['google', one.url, other.url] })
  t.is((await verifier.verify(other.sign(CLAIMS))).trusted, other.url)
  const forged = other.sign({ ...CLAIMS, iss: one.url })
  t.is((await refusal(verifier, forged)).code, 'KEY_UNKNOWN')
  const borrowedName = other.sign({ ...CLAIMS, iss: one.url }, { header: { kid: one.keys[0]?.kid } })
  t.is((await refusal(verifier, borrowedName)).code, 'TOKEN_INVALID')
})

test('a bad token is refused with its own code and 401', async (t) => {
  const { issuer, verifier, time } = await setUp()
  const seconds = time.ms / 1000
  const good = issuer.sign(CLAIMS)
  const publicPem = createPublicKey(issuer.keys[0]?.privateKey ?? '').export({ type: 'spki', format: 'pem' })
  const header = { alg: 'RS256', kid: issuer.keys[0]?.kid ?? '' }
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const [head = '', , signature = ''] = good.split('.')
  const rows: [name: string, token: string, code: string][] = [
    ['an access token', 'ya29.a0AfH6SMBx', 'TOKEN_INVALID'],
    ['junk', 'junk', 'TOKEN_INVALID'],
    ['three empty parts', '..', 'TOKEN_INVALID'],
    ['broken JSON', `${Buffer.from('{').toString('base64url')}.e30.AA`, 'TOKEN_INVALID'],
    ['a payload that is a list', `${head}.${encode([1])}.${signature}`, 'TOKEN_INVALID'],
    ['alg none', `${encode({ ...header, alg: 'none' })}.${good.split('.')[1]}.`, 'TOKEN_INVALID'],
    [
      'the public key used as an HMAC secret',
      `${encode({ ...header, alg: 'HS256' })}.${good.split('.')[1]}.${jsonwebtoken
        .sign(CLAIMS, publicPem.toString(), {
          algorithm: 'HS256',
          keyid: header.kid,
          allowInvalidAsymmetricKeyTypes: true,
        })
        .replace(/.*\./, '')}`,
      'TOKEN_INVALID',
    ],
    ['no kid', issuer.sign(CLAIMS, { header: { kid: undefined } }), 'TOKEN_INVALID'],
    ['an unknown kid', issuer.sign(CLAIMS, { header: { kid: 'nobody' } }), 'KEY_UNKNOWN'],
    ['a stranger as issuer', issuer.sign({ ...CLAIMS, iss: 'https://stranger.example' }), 'ISSUER_NOT_TRUSTED'],
    ['no issuer', issuer.sign({ ...CLAIMS, iss: undefined }), 'TOKEN_INVALID'],
    ['a changed payload', `${head}.${encode({ ...CLAIMS, iss: issuer.url })}.${signature}`, 'TOKEN_INVALID'],
    ['a stripped signature', `${good.replace(/[^.]*$/, '')}SIGNATURE_REMOVED_BY_GOOGLE`, 'TOKEN_INVALID'],
    [
      'extensions that nobody here knows',
      issuer.sign(CLAIMS, { header: { crit: ['b64'], b64: true } }),
      'TOKEN_INVALID',
    ],
    ['no subject', issuer.sign({ ...CLAIMS, sub: undefined }), 'TOKEN_INVALID'],
    ['no exp', issuer.sign({ ...CLAIMS, exp: undefined }), 'TOKEN_INVALID'],
    ['no iat', issuer.sign({ ...CLAIMS, iat: undefined }), 'TOKEN_INVALID'],
    ['expired ten minutes ago', issuer.sign({ ...CLAIMS, iat: seconds - 4200, exp: seconds - 600 }), 'TOKEN_EXPIRED'],
    ['expired 61 s ago', issuer.sign({ ...CLAIMS, exp: seconds - 61 }), 'TOKEN_EXPIRED'],
    ['issued in ten minutes', issuer.sign({ ...CLAIMS, iat: seconds + 600 }), 'TOKEN_EXPIRED'],
    ['not before ten minutes', issuer.sign({ ...CLAIMS, nbf: seconds + 600 }), 'TOKEN_EXPIRED'],
  ]
  for (const [name, token, code] of rows) {
    const refused = await refusal(verifier, token)
    t.is(refused.code, code, name)
    t.is(refused.status, 401, name)
    t.false(refused.message.includes(token), name)
  }
})

test('each fault of a token is named', async (t) => {
  const { issuer, verifier, time } = await setUp()
  const seconds = time.ms / 1000
  const good = issuer.sign(CLAIMS)
  const [head = '', payload = '', signature = ''] = good.split('.')
  const kid = issuer.keys[0]?.kid ?? ''
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const withHead = (header: object) => `${encode({ typ: 'JWT', kid, ...header })}.${payload}.${signature}`
  const rows: [token: string, reason: string][] = [
    ['junk', 'it is not a JWT'],
    [`${head}.${encode('text')}.${signature}`, 'it is not a JWT: its header or its payload is not JSON'],
    [`${head}.${encode(null)}.${signature}`, 'it is not a JWT: its header or its payload is not JSON'],
    [withHead({ alg: 'RS256', crit: [] }), 'its header asks for extensions (crit)'],
    [withHead({}), 'its header names no algorithm (alg)'],
    [withHead({ alg: 'ES256' }), 'its algorithm is "ES256", not RS256'],
    [withHead({ alg: 'x'.repeat(300) }), `its algorithm is "${'x'.repeat(200)}", not RS256`],
    [withHead({ alg: 'RS256', kid: 5 }), 'its header names no key (kid)'],
    [`${head}.${encode({ ...CLAIMS, iss: 5 })}.${signature}`, 'it names no issuer (iss)'],
    [`${head}.${payload}.${'A'.repeat(341)}`, 'its signature is cut off'],
    [`${head}.${payload}.${'A'.repeat(342)}`, `its signature is not by the key that ${issuer.url} publishes`],
    [
      `${head}.${payload}.SIGNATURE_REMOVED_BY_GOOGLE`,
      'its signature has been removed, as a service behind Cloud Run or a gate receives it, and so it cannot be sent on',
    ],
    [issuer.sign({ ...CLAIMS, sub: 5 }), 'it has no subject (sub)'],
    [issuer.sign({ ...CLAIMS, exp: undefined }), 'it has no exp'],
    [issuer.sign({ ...CLAIMS, iat: undefined }), 'it has no iat'],
    [issuer.sign({ ...CLAIMS, iat: 1e11 }), 'its iat is in milliseconds, not in seconds'],
    [issuer.sign({ ...CLAIMS, exp: 1e11 }), 'its exp is in milliseconds, not in seconds'],
    [issuer.sign({ ...CLAIMS, nbf: 1e11 }), 'its nbf is in milliseconds, not in seconds'],
    [issuer.sign({ ...CLAIMS, nbf: 'x'.repeat(300) }), `its nbf is "${'x'.repeat(199)}, not a number`],
  ]
  for (const [token, reason] of rows) {
    t.is((await refusal(verifier, token)).message, `the token is not a valid ID token: ${reason}`)
  }
  const expired = await refusal(verifier, issuer.sign({ ...CLAIMS, exp: seconds - 61 }))
  t.regex(expired.message, /it expired 61 s ago/)
  const early = await refusal(verifier, issuer.sign({ ...CLAIMS, iat: seconds, nbf: seconds + 61 }))
  t.regex(early.message, /it becomes valid in 61 s/)
  t.is((await refusal(verifier, issuer.sign({ ...CLAIMS, exp: 1e11 - 1 }))).code, 'none')
})

test('an issuer that is not trusted is named, with what it has that a trusted one has not', async (t) => {
  const { issuer, verifier } = await setUp()
  const refused = async (iss: string) => {
    const error = await t.throwsAsync(verifier.verify(issuer.sign({ ...CLAIMS, iss }), (name) => `\`${name}:\``))
    return `${error?.message}; ${asFailure(error).fix}`
  }
  const fix = `use a token of ${issuer.url}, or add the issuer to \`trust:\``
  t.is(await refused('a'), `the token comes from "a", which this gate does not trust; ${fix}`)
  t.is(
    await refused(`${issuer.url}/`),
    `the token comes from "${issuer.url}/", which this gate does not trust: it is ${issuer.url} with a slash at its end; ${fix}`,
  )
  const other = verifierOf({ trust: ['google', issuer.url] })
  const error = asFailure(await t.throwsAsync(other.verify(issuer.sign({ ...CLAIMS, iss: 'x'.repeat(300) }))))
  t.true(error.message.includes(`"${'x'.repeat(200)}"`))
  t.is(error.fix, `use a token of google or ${issuer.url}, or add the issuer to --trust`)
})

test('a token that was good ends when it ends, and begins when it begins, however often it came', async (t) => {
  const { time, issuer, verifier } = await setUp()
  const token = issuer.sign(CLAIMS)
  for (let call = 0; call < 3; call += 1) t.is((await verifier.verify(token)).claims.aud, CLAIMS.aud)
  time.ms -= 120_000
  t.is((await refusal(verifier, token)).code, 'TOKEN_EXPIRED')
  time.ms += 120_000
  t.is((await refusal(verifier, token)).code, 'none')
  time.ms += 3_661_000
  t.is((await refusal(verifier, token)).code, 'TOKEN_EXPIRED')
})

test('a token that was good vouches for no other with the same claims, and for none that is longer', async (t) => {
  const { issuer, verifier } = await setUp()
  const token = issuer.sign(CLAIMS)
  t.is((await refusal(verifier, token)).code, 'none')
  const unsigned = token.slice(0, token.lastIndexOf('.'))
  const foreign = issuer.sign(CLAIMS, { key: { ...(await newKey()), kid: issuer.keys[0]?.kid ?? '' } })
  for (const signature of [foreign.slice(foreign.lastIndexOf('.')), '.', '.c2ln', '.SIGNATURE_REMOVED_BY_GOOGLE']) {
    t.is((await refusal(verifier, `${unsigned}${signature}`)).code, 'TOKEN_INVALID', signature)
  }
  t.is((await refusal(verifier, `${token}AAAA`)).code, 'TOKEN_INVALID')
  t.is((await refusal(verifier, token)).code, 'none')
})

test('a token that was good is refused once its issuer has taken its key back, or put another in its place', async (t) => {
  const { time, issuer, verifier } = await setUp()
  issuer.cacheControl = 'max-age=60'
  const [first] = issuer.keys
  const token = issuer.sign(CLAIMS)
  t.is((await refusal(verifier, token)).code, 'none')
  t.is((await refusal(verifier, token)).code, 'none')
  issuer.keys = [{ ...(await newKey()), kid: first?.kid ?? '' }]
  time.ms += 61_000
  const asked = issuer.asked.length
  await verifier.verify(token)
  await issuer.nextAsked(asked + 1)
  t.is((await untilRefused(verifier, token)).code, 'TOKEN_INVALID')
  issuer.keys = [await newKey()]
  time.ms += 61_000
  await refusal(verifier, token)
  t.is((await untilRefused(verifier, token, 'KEY_UNKNOWN')).code, 'KEY_UNKNOWN')
})

test('clocks may differ by a minute', async (t) => {
  const { issuer, verifier, time } = await setUp()
  const seconds = time.ms / 1000
  await t.notThrowsAsync(verifier.verify(issuer.sign({ ...CLAIMS, exp: seconds - 60 })))
  await t.notThrowsAsync(verifier.verify(issuer.sign({ ...CLAIMS, iat: seconds + 60 })))
})

test('a hundred first requests at once fetch the keys once', async (t) => {
  const { issuer, verifier } = await setUp()
  const token = issuer.sign(CLAIMS)
  await Promise.all(Array.from({ length: 100 }, () => verifier.verify(token)))
  t.deepEqual(issuer.asked, ['/.well-known/openid-configuration', '/oauth2/v3/certs'])
})

test('a new key of the issuer is found five seconds after the last fetch, and a flood of unknown ones costs one fetch', async (t) => {
  const { issuer, verifier, time } = await setUp()
  await verifier.verify(issuer.sign(CLAIMS))
  issuer.keys = [await newKey(), ...issuer.keys]
  const rotated = issuer.sign(CLAIMS)
  t.is((await refusal(verifier, rotated)).code, 'KEY_UNKNOWN')
  t.is(issuer.asked.length, 2)
  time.ms += 5_000
  await t.notThrowsAsync(verifier.verify(rotated))
  t.is(issuer.asked.length, 4)
  time.ms += 5_000
  const forged = Array.from({ length: 50 }, (_, n) => issuer.sign(CLAIMS, { header: { kid: `forged-${n}` } }))
  const codes = await Promise.all(forged.map(async (token) => (await refusal(verifier, token)).code))
  t.deepEqual(new Set(codes), new Set(['KEY_UNKNOWN']))
  t.is(issuer.asked.length, 6)
})

test('a clock that is set back does not stretch the pause before the next fetch', async (t) => {
  const { issuer, verifier, time } = await setUp()
  await verifier.verify(issuer.sign(CLAIMS))
  time.ms -= 3_600_000
  issuer.keys = [await newKey()]
  await t.notThrowsAsync(verifier.verify(issuer.sign(CLAIMS)))
})

test('keys outlive a failing fetch; a key that nobody could look up is 503 and not 401', async (t) => {
  const { issuer, verifier, time } = await setUp()
  const token = issuer.sign({ ...CLAIMS, exp: time.ms / 1000 + 90_000 })
  await verifier.verify(token)
  issuer.fault = { status: 500, body: '' }
  time.ms += 24 * 3_600_000
  await t.notThrowsAsync(verifier.verify(token))
  const unknown = await refusal(verifier, issuer.sign(CLAIMS, { key: await newKey() }))
  t.is(unknown.code, 'KEYS_UNAVAILABLE')
  t.is(unknown.status, 503)
  t.true(unknown.message.includes('openid-configuration answered 500'), unknown.message)
  await t.notThrowsAsync(verifier.verify(token))
})

test('keys are fetched again when Cache-Control says so, at least a minute apart', async (t) => {
  const { issuer, verifier, time } = await setUp()
  issuer.cacheControl = 'public, max-age=1, must-revalidate'
  const token = issuer.sign(CLAIMS)
  await verifier.verify(token)
  time.ms += 59_000
  await verifier.verify(token)
  t.is(issuer.asked.length, 2)
  time.ms += 1_000
  issuer.keys = [await newKey()]
  await verifier.verify(token)
  await t.notThrowsAsync(verifier.verify(issuer.sign(CLAIMS)), 'the new key')
  t.is((await refusal(verifier, token)).code, 'KEY_UNKNOWN', 'the withdrawn key')
  t.is(issuer.asked.length, 4)
})

test('an issuer that was down is asked again after a second', async (t) => {
  const { issuer, verifier, time } = await setUp()
  const token = issuer.sign(CLAIMS)
  issuer.fault = { status: 503, body: '' }
  t.is((await refusal(verifier, token)).code, 'KEYS_UNAVAILABLE')
  issuer.fault = undefined
  t.is((await refusal(verifier, token)).code, 'KEYS_UNAVAILABLE')
  t.is(issuer.asked.length, 1)
  time.ms += 1_000
  await t.notThrowsAsync(verifier.verify(token))
})

test('the reason says what is wrong with an issuer', async (t) => {
  const issuer = await startIssuer()
  const token = issuer.sign(CLAIMS)
  const reason = async () => (await refusal(createVerifier({ trust: [issuer.url] }), token)).message
  issuer.fault = { status: 200, body: '<html>' }
  t.regex(await reason(), /did not answer JSON/)
  issuer.fault = { status: 200, body: 'null' }
  t.regex(await reason(), /did not answer a JSON object/)
  issuer.fault = { status: 200, body: '{}' }
  t.regex(await reason(), /names the issuer undefined/)
  issuer.fault = { status: 200, body: JSON.stringify({ issuer: issuer.url }) }
  t.regex(await reason(), /names no jwks_uri/)
  issuer.fault = {
    status: 200,
    body: JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/${'x'.repeat(8)}` }),
  }
  t.regex(await reason(), /is not a JWKS/)
  issuer.fault = { status: 200, body: ' '.repeat(1_000_001) }
  t.regex(await reason(), /more than 1000000 bytes/)
  issuer.close()
  t.regex(await reason(), /ECONNREFUSED/)
})

test.serial('an issuer that does not answer is given up after five seconds', async (t) => {
  const { timeout } = AbortSignal
  t.teardown(() => Object.assign(AbortSignal, { timeout }))
  const waits: number[] = []
  const late = new AbortController()
  AbortSignal.timeout = (ms) => {
    waits.push(ms)
    return late.signal
  }
  const server = createServer(() => late.abort()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuer = await startIssuer()
  const refused = await refusal(createVerifier({ trust: [url] }), issuer.sign({ ...CLAIMS, iss: url }))
  t.regex(refused.message, /did not answer within 5 s/)
  t.deepEqual(waits, [5_000])
  server.close().closeAllConnections()
})

test('an issuer that restarts with another key under the same id is asked again, once in the pause', async (t) => {
  const { issuer, verifier, time } = await setUp()
  const [old] = issuer.keys
  await verifier.verify(issuer.sign(CLAIMS))
  issuer.keys = [{ ...(await newKey()), kid: old?.kid ?? '' }]
  const token = issuer.sign(CLAIMS)
  t.is((await refusal(verifier, token)).code, 'TOKEN_INVALID', 'in the pause')
  time.ms += 5_000
  await t.notThrowsAsync(verifier.verify(token))
  const asked = issuer.asked.length
  const forged = old && issuer.sign(CLAIMS, { key: old })
  for (let times = 0; times < 10; times += 1) t.is((await refusal(verifier, forged ?? '')).code, 'TOKEN_INVALID')
  t.is(issuer.asked.length, asked, 'forged tokens cost the issuer nothing in the pause')
})

test('a key that cannot be used takes nothing from the others of its issuer, and is told as what it is', async (t) => {
  const { issuer, verifier } = await setUp()
  const [good] = issuer.keys
  const publish = async (kid: string, changes: object, bits?: number) => {
    const key = { ...(await newKey(bits)), kid }
    issuer.keys.push({ ...key, changes })
    return issuer.sign(CLAIMS, { key })
  }
  const rows = [
    [await publish('odd', { alg: 'RSA256' }), /"odd" that .* its algorithm \(alg\) is "RSA256", not "RS256"/],
    [await publish('enc', { use: 'enc' }), /its use is "enc", not "sig"/],
    [await publish('ec', { kty: 'EC' }), /its type \(kty\) is "EC", not "RSA"/],
    [await publish('broken', { n: 7 }), /its numbers \(n, e\) are not an RSA key/],
    [await publish('short', {}, 1024), /it has 1024 bits, and RS256 takes 2048 to 16384 here/],
    [await publish('long', { n: 'q'.repeat(3000) }), /it has 18000 bits/],
  ] as const
  issuer.alsoPublished = [null, 7, {}, { kid: 5 }]
  for (const [token, reason] of rows) {
    const refused = await refusal(verifier, token)
    t.is(refused.code, 'KEY_UNUSABLE')
    t.regex(refused.message, reason)
  }
  await t.notThrowsAsync(verifier.verify(issuer.sign(CLAIMS, good && { key: good })))
})

test('a key that cannot be used takes nothing from the one that shares its id, before it or after it', async (t) => {
  const { issuer, verifier, time } = await setUp()
  const [good] = issuer.keys
  if (good === undefined) return t.fail()
  const unusable = { ...(await newKey()), kid: good.kid, changes: { use: 'enc' } }
  for (const keys of [
    [good, unusable],
    [unusable, good],
  ]) {
    issuer.keys = keys
    time.ms += 3_600_000
    await t.notThrowsAsync(verifier.verify(issuer.sign({ ...CLAIMS, exp: 2_000_000_000 }, { key: good })))
  }
})

test('keys are good for a day at most, whatever the issuer says', async (t) => {
  const { issuer, verifier, time } = await setUp()
  issuer.cacheControl = 'public, max-age=99999999'
  await verifier.verify(issuer.sign(CLAIMS))
  const asked = issuer.asked.length
  const token = issuer.sign({ ...CLAIMS, exp: 2_000_000_000 })
  time.ms += 24 * 3_600_000 - 1
  await verifier.verify(token)
  t.is(issuer.asked.length, asked)
  time.ms += 1
  await verifier.verify(token)
  await issuer.nextAsked(asked)
  t.true(issuer.asked.length > asked)
})

test('an issuer may redirect within its own origin, and nowhere else', async (t) => {
  const { issuer, verifier, time } = await setUp()
  const other = await startIssuer()
  const token = issuer.sign(CLAIMS)
  issuer.redirect = (path) => (path === '/oauth2/v3/certs' ? '/moved' : undefined)
  await t.notThrowsAsync(verifier.verify(token))
  t.true(issuer.asked.includes('/moved'))
  for (const [location, reason, steps] of [
    [`${other.url}/oauth2/v3/certs`, /redirects to another host/, 1],
    ['http://[', /redirects to another host/, 1],
    ['/.well-known/openid-configuration', /redirects more than 3 times/, 4],
  ] as const) {
    issuer.redirect = () => location
    time.ms += 5_000
    const before = issuer.asked.length
    const unknown = issuer.sign(CLAIMS, { header: { kid: 'new' } })
    const refused = await refusal(verifier, unknown)
    t.is(refused.code, 'KEYS_UNAVAILABLE')
    t.regex(refused.message, reason)
    t.is(issuer.asked.length - before, steps)
  }
  t.deepEqual(other.asked, [])
})

test('garbage from an issuer is a reason, whatever it is', async (t) => {
  const rows: [bytes: string, reason: RegExp][] = [
    ['nonsense', /HPE_|ECONNRESET/],
    ['HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', /switched protocols/],
    ['HTTP/1.1 000 \x01\r\n\r\n', /answered 0/],
    ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{', /ECONNRESET/],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', /HPE_|ECONNRESET/],
    [`HTTP/1.1 200 OK\r\n\r\n${'['.repeat(100_000)}`, /did not answer JSON/],
    ['HTTP/1.1 200 OK\r\nLocation: /elsewhere\r\nContent-Length: 1\r\n\r\n[', /did not answer JSON/],
    ['HTTP/1.1 404 Not Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n', /answered 404/],
    ['', /ECONNRESET/],
  ]
  const issuer = await startIssuer()
  for (const [bytes, reason] of rows) {
    const { upstream } = await startRawService(t, bytes)
    issuer.named = upstream
    const refused = await refusal(createVerifier({ trust: [upstream] }), issuer.sign(CLAIMS))
    t.is(refused.code, 'KEYS_UNAVAILABLE', bytes.slice(0, 50))
    t.regex(refused.message, reason)
  }
})

test('while an issuer is down, keys that it gave serve on and cost it one request in five seconds', async (t) => {
  const { issuer, verifier, time } = await setUp()
  const token = issuer.sign({ ...CLAIMS, exp: 2_000_000_000 })
  await verifier.verify(token)
  time.ms += 600_000
  issuer.fault = { status: 503, body: '' }
  const asked = issuer.asked.length
  await verifier.verify(token)
  await issuer.nextAsked(asked)
  for (let times = 0; times < 5; times += 1) {
    await setTimeout(20)
    await verifier.verify(token)
  }
  t.is(issuer.asked.length, asked + 1)
  time.ms += 5_000
  await verifier.verify(token)
  await issuer.nextAsked(asked + 1)
  t.pass()
})

test('a forged token under a known key id stays forged while the issuer is down', async (t) => {
  const { issuer, verifier, time } = await setUp()
  await verifier.verify(issuer.sign(CLAIMS))
  const forged = issuer.sign(CLAIMS, { key: { ...(await newKey()), kid: issuer.keys[0]?.kid ?? '' } })
  issuer.fault = { status: 503, body: '' }
  time.ms += 5_000
  t.is((await refusal(verifier, forged)).code, 'TOKEN_INVALID')
})

test.serial('an issuer on plain http is a neighbour: no proxy leads there', async (t) => {
  const before = process.env.HTTP_PROXY
  process.env.HTTP_PROXY = 'http://127.0.0.1:1'
  t.teardown(() => {
    if (before === undefined) delete process.env.HTTP_PROXY
    else process.env.HTTP_PROXY = before
  })
  const issuer = await startIssuer()
  issuer.named = 'http://issuer.invalid'
  const refused = await refusal(createVerifier({ trust: [issuer.named] }), issuer.sign(CLAIMS))
  t.is(refused.code, 'KEYS_UNAVAILABLE')
  t.notRegex(refused.message, /proxy/)
})

test("a local key id under Google's name is looked for at the local issuers that are trusted, and there alone", async (t) => {
  const [one, other] = [await startIssuer(), await startIssuer()]
  const key = { ...(await newKey()), kid: 'local-one' }
  other.keys.push(key)
  const forGoogle = (options: Parameters<typeof other.sign>[1]) =>
    other.sign({ ...CLAIMS, iss: 'https://accounts.google.com' }, options)
  const verifier = createVerifier({ trust: [one.url, other.url] })
  t.is((await verifier.verify(forGoogle({ key }))).trusted, other.url)
  t.is((await refusal(verifier, forGoogle({ key, header: { kid: 'local-none' } }))).code, 'KEY_UNKNOWN')
  const ofAnother = forGoogle({ key: { ...(await newKey()), kid: 'local-one' } })
  t.is((await refusal(verifier, ofAnother)).code, 'TOKEN_INVALID')
  t.is((await refusal(verifier, forGoogle({ key, header: { kid: 'one' } }))).code, 'ISSUER_NOT_TRUSTED')
  one.close()
  const late = createVerifier({ trust: [one.url] })
  t.is((await refusal(late, forGoogle({ key }))).code, 'KEYS_UNAVAILABLE')
})
