import { chmodSync, readFileSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { settle } from '../../../src/config/layers.ts'
import { SidemintError } from '../../../src/core/errors.ts'
import { readClaims, type TokenRequest } from '../../../src/core/token.ts'
import { createGoogleSource } from '../../../src/mint/google.ts'
import { type FakeGoogle, startFakeGoogle } from '../../google/start.ts'
import { AUDIENCE, CREATOR, ORDERS } from './rows.ts'

const SETTINGS = settle({ options: {} })
const REQUEST: TokenRequest = { kind: 'id', principal: ORDERS, audience: AUDIENCE, format: 'full' }

let google: FakeGoogle

test.before(async () => {
  google = await startFakeGoogle()
  google.trust()
  const provider = await google.workloadProvider()
  google.grant(provider.principal('robot'), CREATOR, ORDERS)
})

test.after.always(() => google.close())

/** A credential whose subject token comes from there. */
async function source(credential_source: object, totalMs = 10_000, allowed = '1') {
  const adc = { ...(await google.externalAccount({ from: 'file', subject: 'robot' })), credential_source }
  return createGoogleSource({
    env: {
      ...google.env,
      GOOGLE_APPLICATION_CREDENTIALS: google.write(`${crypto.randomUUID()}.json`, adc),
      GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: allowed,
    },
    delegatesOf: () => [],
    settings: SETTINGS,
    onDate: () => {},
    now: Date.now,
    bounds: { attemptMs: 5_000, totalMs, retryDelaysMs: [5, 10] },
  })
}

/** A shell script: starting Node.js takes fifty times as long. */
function program(...lines: string[]): string {
  const path = google.write(`program-${crypto.randomUUID()}`, ['#!/bin/sh', ...lines].join('\n'))
  chmodSync(path, 0o755)
  return path
}

/** The line of a program that prints it. */
const printing = (answer: string) => `cat <<'END'\n${answer}\nEND`

async function answerOf(more: object = {}): Promise<string> {
  const id_token = (await google.workloadProvider()).subjectToken('robot')
  const token_type = 'urn:ietf:params:oauth:token-type:id_token'
  return JSON.stringify({ version: 1, success: true, token_type, id_token, ...more })
}

async function failureOf(t: ExecutionContext, credentialSource: object, totalMs?: number, allowed?: string) {
  const minting = (await source(credentialSource, totalMs, allowed)).mint(REQUEST)
  const error = (await t.throwsAsync(minting, { instanceOf: SidemintError })) as SidemintError
  t.notRegex(`${error.message} ${error.fix}`, /eyJ/)
  return error
}

test('a program gives the subject token, and is told for what', async (t) => {
  const told = google.write('told', '')
  const command = `${program(
    `printf '%s\\n' "$#" "$1" "$2" "$GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE" "$GOOGLE_EXTERNAL_ACCOUNT_TOKEN_TYPE" \\`,
    `  "$GOOGLE_EXTERNAL_ACCOUNT_INTERACTIVE" "\${GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE-unset}" >'${told}'`,
    printing(await answerOf()),
  )} "a b" c`
  const { audience } = await google.workloadProvider()
  const type = 'urn:ietf:params:oauth:token-type:jwt'
  for (const output_file of [undefined, '/no/such/file']) {
    const { mint } = await source({ executable: { command, output_file } })
    t.like(readClaims((await mint(REQUEST)).value), { email: ORDERS })
    const lines = readFileSync(told, 'utf8').trimEnd().split('\n')
    t.deepEqual(lines, ['2', 'a b', 'c', audience, type, '0', output_file ?? 'unset'])
  }
})

test('what a program left in its output file is used while it lasts', async (t) => {
  const broken = program('exit 1')
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
  ['ends with an error', () => program('echo eyJsecret', 'exit 3'), /exit code 3/],
  ['answers in prose', () => program('echo eyJsecret'), /nothing usable/],
  [
    'says that it failed',
    () => program(printing('{"version":1,"success":false,"code":"401","message":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}')),
    /it answered without success: 401 \.\.\./,
  ],
  [
    'says what to do',
    () => program(printing('{"version":1,"success":false,"code":"401","message":"please run: corp-login"}')),
    /it answered without success: 401 please run: corp-login/,
  ],
  [
    'says what to do, and ends with an error',
    () => program(printing('{"version":1,"success":false,"code":"9","message":"no VPN"}'), 'exit 1'),
    /it answered without success: 9 no VPN/,
  ],
  [
    'answers with a token that has expired',
    () => program(printing('{"version":1,"success":true,"id_token":"eyJ","expiration_time":1}')),
    /it answered without a token that is valid now/,
  ],
]
for (const [title, command, reason] of BROKEN) {
  test(`a program that ${title} is an answer, and the process lives on`, async (t) => {
    const error = await failureOf(t, { executable: { command: command() } })
    t.like(error, { code: 'SUBJECT_TOKEN_MISSING', status: 403 })
    t.regex(error.message, reason)
    t.is(/^do what the program says/.test(error.fix), /without success/.test(error.message))
  })
}

test('a program that hangs is ended with the mint', async (t) => {
  const mark = google.write('alive', '')
  const slow = program(`while printf . >>'${mark}'; do sleep 0.05; done`)
  const started = Date.now()
  const error = await failureOf(t, { executable: { command: slow } }, 1_000)
  t.like(error, { code: 'SOURCE_TIMEOUT', status: 503 })
  t.true(Date.now() - started < 20_000, 'and not with the 30 s of the program')
  await sleep(100)
  const { size } = statSync(mark)
  await sleep(200)
  t.true(size > 0)
  t.is(statSync(mark).size, size)
})

test('a program is run only where that is allowed', async (t) => {
  const error = await failureOf(t, { executable: { command: program('exit 0') } }, undefined, '')
  t.regex(error.message, /GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES is not 1/)
  t.regex(error.fix, /^set GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1 where sidemint runs/)
})

test('an output file that is half written gives way to the program', async (t) => {
  const answer = await answerOf()
  const output_file = google.write('half.json', answer.slice(0, 60))
  const { mint } = await source({
    executable: { command: program(printing(answer)), output_file },
  })
  t.like(readClaims((await mint(REQUEST)).value), { email: ORDERS })
})

test('of a program only its name is said: its arguments may be secrets', async (t) => {
  const error = await failureOf(t, { executable: { command: '/no/such/idp-token --client-secret=S3CR3TVALUE' } })
  t.is(error.message, 'no subject token from the program "/no/such/idp-token": ENOENT')
})

test('the reason of a URL that refuses is said, and nothing of its query', async (t) => {
  const url = `http://${google.metadata.host}/subject-token/refusing?secret=hunter2`
  const cancel = google.fault({
    kind: 'status',
    status: 401,
    path: '/subject-token/refusing',
    body: { error: 'invalid_request', error_description: 'Identity not found' },
  })
  const error = await failureOf(t, { url })
  cancel()
  const [shown] = url.split('?')
  t.is(error.message, `no subject token from ${shown}: it answered 401: invalid_request Identity not found`)
})

test('a source that is a certificate, or none at all, is called by its name', async (t) => {
  const certificate = await failureOf(t, { certificate: { use_default_certificate_config: true } })
  t.is(certificate.code, 'CREDENTIALS_UNUSABLE')
  t.regex(certificate.message, /^a workload certificate \(X\.509\)/)
  const empty = await failureOf(t, {})
  t.is(empty.code, 'SUBJECT_TOKEN_MISSING')
  t.regex(empty.message, /credential_source: it names no file, no URL, no program and no AWS environment/)
})

test('a file or a URL without a subject token is named', async (t) => {
  const file = await failureOf(t, { file: '/no/such/token' })
  t.is(file.message, 'no subject token from /no/such/token: ENOENT')
  const url = `http://${google.metadata.host}/subject-token/unknown`
  const asked = await failureOf(t, { url, format: { type: 'json', subject_token_field_name: 'access_token' } })
  t.is(asked.message, `no subject token from ${url}: it answered 404`)
})
