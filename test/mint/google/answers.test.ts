import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { settle } from '../../../src/config/layers.ts'
import { SidemintError } from '../../../src/core/errors.ts'
import { readClaims, type TokenRequest, type TokenSource } from '../../../src/core/token.ts'
import { createMetadataSource } from '../../../src/mint/metadata-server.ts'
import type { Fault } from '../../google/faults.ts'
import type { FakeGoogle } from '../../google/start.ts'
import { startGranted } from './granted.ts'
import { ANN, AUDIENCE, CREATOR, FIRST, ORDERS } from './rows.ts'
import { sourceFrom } from './source.ts'

const SETTINGS = settle({ options: {} })
const ID = { kind: 'id', principal: ORDERS, audience: AUDIENCE, format: 'full' } as const
const ACCESS: TokenRequest = { kind: 'access', principal: ORDERS, scopes: [] }
const BOUNDS = { attemptMs: 20_000, totalMs: 40_000, retryDelaysMs: [5, 10] }

let google: FakeGoogle

test.before(async () => {
  google = await startGranted()
  google.grant((await google.workloadProvider()).principal('workload'), CREATOR, ORDERS)
  google.grant(google.workforcePrincipal('eve'), CREATOR, ORDERS)
})

test.after.always(() => google.close())

const options = { delegatesOf: () => [], onDate: () => {}, now: Date.now, bounds: BOUNDS }

const sourceOf = (adc: object) => sourceFrom(google, adc)

async function failureOf(t: ExecutionContext, minting: Promise<unknown>): Promise<SidemintError> {
  return (await t.throwsAsync(minting, { instanceOf: SidemintError })) as SidemintError
}

type Source = Pick<TokenSource, 'mint'>

interface Call {
  title: string
  host: string
  path: string
  request: TokenRequest
  source(): Promise<Source>
}

const user = async () => sourceOf(google.userLogin(ANN))
const federated = async () => sourceOf(await google.externalAccount({ from: 'url' }))
const KEY: Call = {
  title: 'the exchange of a key',
  host: 'oauth2.googleapis.com',
  path: '/token',
  request: { ...ID, principal: 'key@acme-dev.iam.gserviceaccount.com' },
  source: async () => sourceOf(await google.serviceAccountKey('key@acme-dev.iam.gserviceaccount.com')),
}
const GENERATE_ID: Call = {
  title: 'generateIdToken',
  host: 'iamcredentials.googleapis.com',
  path: ':generateIdToken',
  request: ID,
  source: user,
}
const SUBJECT_URL: Call = {
  title: 'the URL of a subject token',
  host: 'idp.example.com',
  path: '',
  request: ID,
  source: federated,
}
const MACHINE: Call = {
  title: 'a metadata server',
  host: 'metadata.google.internal',
  path: '/identity',
  request: { ...ID, principal: undefined },
  source: async () => createMetadataSource({ ...options, settings: SETTINGS, env: {}, host: google.metadata.host }),
}
const CALLS: Call[] = [
  KEY,
  { title: 'the refresh of a login', host: 'oauth2.googleapis.com', path: '/token', request: ID, source: user },
  GENERATE_ID,
  {
    title: 'generateAccessToken',
    host: 'iamcredentials.googleapis.com',
    path: ':generateAccessToken',
    request: ACCESS,
    source: user,
  },
  { title: 'STS', host: 'sts.googleapis.com', path: '/v1/token', request: ID, source: federated },
  SUBJECT_URL,
  {
    title: 'the refresh of a workforce login',
    host: 'sts.googleapis.com',
    path: '/v1/oauthtoken',
    request: ID,
    source: async () => sourceOf(google.externalAccountAuthorizedUser('eve')),
  },
  MACHINE,
]

/** Mints while the call is answered so, and says how often it was made. */
async function failingWith(t: ExecutionContext, { host, path, request }: Call, fault: object, source: Source) {
  const before = google.count({ host, path })
  const cancel = google.fault({ ...fault, host, path } as Fault)
  const error = await failureOf(t, source.mint(request)).finally(cancel)
  return { error, asked: google.count({ host, path }) - before }
}

for (const call of CALLS) {
  test.serial(`no redirect is followed: ${call.title}`, async (t) => {
    const source = await call.source()
    const to = 'https://login.corp.example/sign-in?state=hidden'
    // Whatever is asked of Google goes through one transport, so one call shows the other statuses for all of them.
    for (const status of call === KEY || call === MACHINE ? [302, 307, 308] : [307]) {
      const { error, asked } = await failingWith(t, call, { kind: 'redirect', status, to }, source)
      t.like(error, { code: 'REDIRECT_REFUSED', status: 403 })
      t.regex(error.message, /redirects to login\.corp\.example/)
      t.notRegex(`${error.message}${error.fix}`, /sign-in|hidden/)
      t.is(asked, 1, `${status}`)
    }
    t.deepEqual(google.strangers, [])
  })
}

test.serial('a redirect back to itself ends nothing', async (t) => {
  const source = await KEY.source()
  for (const to of ['https://oauth2.googleapis.com/token', '/token', 'http://[', '']) {
    const { error, asked } = await failingWith(t, KEY, { kind: 'redirect', status: 308, to }, source)
    t.is(error.code, 'REDIRECT_REFUSED')
    t.is(asked, 1)
  }
})

/** 300 megabytes: three hundred streams, one after the other, are one gzip too, and quicker to make. */
const BOMB = Buffer.concat(Array(300).fill(gzipSync(Buffer.alloc(1_000_000, ' '))))
const GARBAGE = {
  'a broken gzip': { kind: 'gzip', bytes: Buffer.from('this is not gzip') },
  'a status that needs a body of ours': { kind: 'status', status: 304, body: '' },
  'a choice': { kind: 'status', status: 300 },
  'a mail server': { kind: 'raw', text: '220 mail.corp ESMTP\r\n' },
  'more than a megabyte': { kind: 'body', body: ' '.repeat(1_100_000) },
  'a gzip of 300 megabytes': { kind: 'gzip', bytes: BOMB },
} as const
const EACH = Object.keys(GARBAGE) as (keyof typeof GARBAGE)[]
/** A machine sends no gzip, and a POST takes spaces for garbage without any limit. */
const GARBAGE_OF: [call: Call, titles: typeof EACH][] = [
  [KEY, EACH.filter((title) => title !== 'more than a megabyte')],
  [GENERATE_ID, ['a broken gzip']],
  [SUBJECT_URL, EACH],
  [MACHINE, EACH.filter((title) => !title.includes('gzip'))],
]
for (const [call, titles] of GARBAGE_OF) {
  test.serial(`garbage is told as garbage, at once and in little memory: ${call.title}`, async (t) => {
    const source = await call.source()
    for (const title of titles) {
      const before = process.memoryUsage.rss()
      const startedAt = Date.now()
      const { error, asked } = await failingWith(t, call, GARBAGE[title], source)
      t.is(error.code, 'UPSTREAM_GARBAGE', title)
      t.regex(error.message, /^[\w.:]+ answered with/)
      t.is(asked, 1, title)
      t.true(Date.now() - startedAt < 10_000, title)
      t.true(process.memoryUsage.rss() - before < 200_000_000, title)
    }
  })
}

test.serial('an answer that is null, or text, is garbage too', async (t) => {
  const source = await user()
  for (const body of ['null', '"words"']) {
    const { error, asked } = await failingWith(t, GENERATE_ID, { kind: 'body', body }, source)
    t.like(error, { code: 'UPSTREAM_GARBAGE' })
    t.is(asked, 1)
  }
})

test.serial("the clock is Google's, and not that of whoever gives a subject token", async (t) => {
  const dates: number[] = []
  const adc = await google.externalAccount({ from: 'url' })
  await sourceFrom(google, adc, { onDate: (ms) => dates.push(ms) }).mint(ID)
  t.is(dates.length, 2, 'of STS and of IAM')
})

test.serial('a right answer is read, though it comes as gzip', async (t) => {
  const id_token = await google.idToken({ aud: AUDIENCE })
  const cancel = google.fault({
    kind: 'gzip',
    bytes: gzipSync(JSON.stringify({ token: id_token })),
    path: ':generateId',
  })
  const { value } = await (await user()).mint(ID)
  cancel()
  t.like(readClaims(value), { aud: AUDIENCE })
})

test.serial(
  'new audiences at once share at most 16 connections, and a wait for one is no part of an attempt',
  async (t) => {
    const source = sourceFrom(google, google.userLogin(ANN), {
      bounds: { attemptMs: 1_500, totalMs: 40_000, retryDelaysMs: [] },
    })
    const before = google.connections.made
    const slow = google.fault({ kind: 'delay', ms: 80, host: 'iamcredentials.googleapis.com' })
    const audiences = Array.from({ length: 20 }, (_, index) => `https://${index}.example`)
    const minted = await Promise.all(audiences.map((audience) => source.mint({ ...ID, audience })))
    slow()
    t.deepEqual(
      minted.map(({ value }) => readClaims(value)?.aud),
      audiences,
    )
    t.true(google.connections.made - before <= 16)
    const hang = google.fault({ kind: 'hang', path: FIRST })
    // One connection is kept to where the login was refreshed; these have the others until their attempts end.
    const hanging = Array.from({ length: 15 }, () => t.throwsAsync(source.mint({ ...ACCESS, principal: FIRST })))
    const startedAt = performance.now()
    await t.notThrowsAsync(source.mint(ACCESS))
    t.true(performance.now() - startedAt > 1_000, 'a connection was free')
    for (const error of await Promise.all(hanging)) t.like(error, { code: 'UPSTREAM_TIMEOUT' })
    hang()
  },
)
