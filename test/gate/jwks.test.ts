/** docs/gate.md, "Verifying" */

import { createPrivateKey } from 'node:crypto'
import test from 'ava'
import { createRemoteKeys, discoverKeysUrl } from '../../src/gate/jwks.ts'
import { rsaPem } from '../google/keys.ts'
import { newKey, startIssuer } from './issuer.ts'

/** The keys of one new issuer, both on a clock that the test moves. */
async function setUp() {
  const time = { ms: 1_790_000_000_000 }
  const now = () => time.ms
  const issuer = await startIssuer({ now })
  const kid = issuer.keys[0]?.kid ?? ''
  const keys = createRemoteKeys(async () => `${issuer.url}/oauth2/v3/certs`, now)
  return { time, issuer, keys, kid }
}

for (const [cacheControl, freshMs] of [
  [undefined, 600_000],
  ['no-store', 600_000],
  ['public, max-age=59', 60_000],
  ['max-age=60', 60_000],
  ['public,MAX-AGE=61, must-revalidate', 61_000],
  ['s-maxage=100', 600_000],
  ['max-age=86400', 86_400_000],
  ['max-age=86401', 86_400_000],
] as const) {
  test(`keys with Cache-Control ${cacheControl} are fetched again after ${freshMs / 1000} s, and not before`, async (t) => {
    const { time, issuer, keys, kid } = await setUp()
    issuer.cacheControl = cacheControl
    t.truthy((await keys.find(kid))?.key)
    time.ms += freshMs - 1
    t.truthy((await keys.find(kid))?.key)
    // What begins a fetch has begun it by now: the answer to another one has come.
    await (await fetch(issuer.url)).text()
    t.is(issuer.asked.length, 2)
    time.ms += 1
    t.truthy((await keys.find(kid))?.key)
    await issuer.nextAsked(2)
    t.is(issuer.asked.length, 3)
  })
}

test('a key that is not there is looked for again after five seconds, and not before', async (t) => {
  const { time, issuer, keys, kid } = await setUp()
  t.truthy(await keys.find(kid))
  issuer.keys = [await newKey()]
  const next = issuer.keys[0]?.kid ?? ''
  time.ms += 4_999
  t.is(await keys.find(next), undefined)
  t.is(issuer.asked.length, 1)
  time.ms += 1
  t.truthy((await keys.find(next))?.key)
  t.is(issuer.asked.length, 2)
})

test('an issuer that never answered is asked again after one second, and not before', async (t) => {
  const { time, issuer, keys, kid } = await setUp()
  issuer.fault = { status: 500, body: '' }
  await t.throwsAsync(keys.find(kid), { message: /answered 500$/ })
  issuer.fault = undefined
  time.ms += 999
  await t.throwsAsync(keys.find(kid), { message: /answered 500$/ })
  t.is(issuer.asked.length, 1)
  time.ms += 1
  t.truthy((await keys.find(kid))?.key)
})

test('a key without a use and without an algorithm is one for signatures by RS256', async (t) => {
  const { issuer, keys, kid } = await setUp()
  const [key] = issuer.keys
  if (key !== undefined) key.changes = { use: undefined, alg: undefined }
  t.truthy((await keys.find(kid))?.key)
})

test('a modulus has 2,048 to 16,384 bits, and no word of an issuer fills the log', async (t) => {
  const { issuer, keys } = await setUp()
  const [key] = issuer.keys
  const pem = await rsaPem()
  const modulus = (bits: number) =>
    Buffer.from(((1n << BigInt(bits)) - 1n).toString(16).padStart(Math.ceil(bits / 8) * 2, '0'), 'hex').toString(
      'base64url',
    )
  const publish = (kid: string, changes: object) => key && issuer.keys.push({ ...key, kid, changes })
  for (const bits of [2047, 2048, 16_384, 16_385]) publish(String(bits), { n: modulus(bits) })
  publish('long', { alg: 'x'.repeat(100) })
  const reason = async (kid: string) => (await keys.find(kid))?.unusable
  t.is(await reason('2047'), 'it has 2047 bits, and RS256 takes 2048 to 16384 here')
  t.is(await reason('2048'), undefined)
  t.is(await reason('16384'), undefined)
  t.is(await reason('16385'), 'it has 16385 bits, and RS256 takes 2048 to 16384 here')
  t.notThrows(() => createPrivateKey(pem), 'what reads a key next is not told the error of this one')
  t.is(await reason('long'), `its algorithm (alg) is "${'x'.repeat(49)}, not "RS256"`)
})

test('a discovery document is looked for below the issuer, and must be its own', async (t) => {
  const { issuer } = await setUp()
  const keysUrl = `${issuer.url}/oauth2/v3/certs`
  t.is(await discoverKeysUrl(issuer.url), keysUrl)
  await t.throwsAsync(discoverKeysUrl(`${issuer.url}/`), {
    message: `its discovery document names the issuer ${issuer.url}`,
  })
  issuer.named = `${issuer.url}/`
  t.is(await discoverKeysUrl(issuer.named), keysUrl)
  t.deepEqual(new Set(issuer.asked), new Set(['/.well-known/openid-configuration']))
  issuer.named = 'x'.repeat(300)
  await t.throwsAsync(discoverKeysUrl(issuer.url), {
    message: `its discovery document names the issuer ${'x'.repeat(200)}`,
  })
})
