import { chmodSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { SidemintError } from '../../../src/core/errors.ts'
import { readClaims, type TokenRequest } from '../../../src/core/token.ts'
import { createGoogleSource } from '../../../src/mint/google.ts'
import { type FakeGoogle, startFakeGoogle } from '../../google/start.ts'
import { AUDIENCE, CREATOR, ORDERS } from './rows.ts'

const REQUEST: TokenRequest = { kind: 'id', principal: ORDERS, audience: AUDIENCE, format: 'full' }

let google: FakeGoogle

test.before(async () => {
  google = await startFakeGoogle()
  google.applyEnv()
  const provider = await google.workloadProvider()
  google.grant(provider.principal('robot'), CREATOR, ORDERS)
  process.env.GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES = '1'
})

test.after.always(() => google.close())

/** A credential whose subject token comes from there. */
async function source(credential_source: object, totalMs = 10_000) {
  const adc = { ...(await google.externalAccount({ from: 'file', subject: 'robot' })), credential_source }
  return createGoogleSource({
    env: { GOOGLE_APPLICATION_CREDENTIALS: google.write(`${crypto.randomUUID()}.json`, adc) },
    delegatesOf: () => [],
    allowUserTokens: false,
    onDate: () => {},
    now: Date.now,
    bounds: { attemptMs: 5_000, totalMs, retryDelaysMs: [5, 10] },
  })
}

/** A script that runs the lines with this Node.js. */
function program(...lines: string[]): string {
  const path = google.write(`program-${crypto.randomUUID()}`, [`#!${process.execPath}`, ...lines].join('\n'))
  chmodSync(path, 0o755)
  return path
}

async function answerOf(more: object = {}): Promise<string> {
  const id_token = (await google.workloadProvider()).subjectToken('robot')
  const token_type = 'urn:ietf:params:oauth:token-type:id_token'
  return JSON.stringify({ version: 1, success: true, token_type, id_token, ...more })
}

async function failureOf(t: ExecutionContext, credentialSource: object, totalMs?: number): Promise<SidemintError> {
  const minting = (await source(credentialSource, totalMs)).mint(REQUEST)
  const error = (await t.throwsAsync(minting, { instanceOf: SidemintError })) as SidemintError
  t.notRegex(`${error.message} ${error.fix}`, /eyJ/)
  return error
}

test('a program gives the subject token, and is told for what', async (t) => {
  const line = `console.log(process.env.GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE.startsWith('//iam') && process.argv[2] === 'a b' && ${JSON.stringify(await answerOf())})`
  const { mint } = await source({ executable: { command: `${program(line)} "a b"` } })
  t.like(readClaims((await mint(REQUEST)).value), { email: ORDERS })
})

test('what a program left in its output file is used while it lasts', async (t) => {
  const broken = program('process.exit(1)')
  const expiration_time = Math.floor(Date.now() / 1000) + 600
  const output_file = google.write('kept.json', await answerOf({ expiration_time }))
  const { mint } = await source({ executable: { command: broken, output_file } })
  t.like(readClaims((await mint(REQUEST)).value), { email: ORDERS })
  const late = google.write('late.json', await answerOf({ expiration_time: expiration_time - 1_200 }))
  const error = await failureOf(t, { executable: { command: broken, output_file: late } })
  t.is(error.code, 'SUBJECT_TOKEN_MISSING')
})

const BROKEN: [title: string, command: () => string, reason: RegExp][] = [
  ['is not there', () => '/no/such/program', /\/no\/such\/program\\?": ENOENT/],
  [
    'has no interpreter',
    () => {
      const path = google.write('no-interpreter', '#!/no/such/shell\n')
      chmodSync(path, 0o755)
      return path
    },
    /ENOENT/,
  ],
  ['may not be run', () => google.write('not-executable', '#!/bin/sh\n'), /EACCES/],
  ['ends with an error', () => program('console.log("eyJsecret"); process.exit(3)'), /exit code 3/],
  ['answers in prose', () => program('console.log("eyJsecret")'), /nothing usable/],
  [
    'says that it failed',
    () => program(`console.log('{"version":1,"success":false,"code":"401","message":"eyJ"}')`),
    /without a valid token/,
  ],
]
for (const [title, command, reason] of BROKEN) {
  test(`a program that ${title} is an answer, and the process lives on`, async (t) => {
    const error = await failureOf(t, { executable: { command: command() } })
    t.like(error, { code: 'SUBJECT_TOKEN_MISSING', status: 403 })
    t.regex(error.message, reason)
  })
}

test('a program that hangs is ended with the mint', async (t) => {
  const mark = google.write('alive', '')
  const slow = program(`setInterval(() => require('node:fs').appendFileSync(${JSON.stringify(mark)}, '.'), 20)`)
  const started = Date.now()
  const error = await failureOf(t, { executable: { command: slow } }, 1_000)
  t.like(error, { code: 'SOURCE_TIMEOUT', status: 503 })
  t.true(Date.now() - started < 3_000)
  await sleep(100)
  const { size } = statSync(mark)
  await sleep(200)
  t.true(size > 0)
  t.is(statSync(mark).size, size)
})

test.serial('a program is run only where that is allowed', async (t) => {
  delete process.env.GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES
  const error = await failureOf(t, { executable: { command: program('process.exit(0)') } })
  process.env.GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES = '1'
  t.regex(error.message, /GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is not 1/)
})

test('a file or a URL without a subject token is named', async (t) => {
  const file = await failureOf(t, { file: '/no/such/token' })
  t.is(file.message, 'no subject token from /no/such/token: ENOENT')
  const url = `http://${google.metadata.host}/subject-token/unknown`
  const asked = await failureOf(t, { url, format: { type: 'json', subject_token_field_name: 'access_token' } })
  t.is(asked.message, `no subject token from ${url}: it answered 404`)
})
