/** What an answer of Google's, or the lack of one, means: code, words and fix (docs/minting.md, "Refusals"). */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import type { SidemintError } from '../../../src/core/errors.ts'
import type { CredentialSource } from '../../../src/mint/adc.ts'
import { OutOfTime } from '../../../src/mint/bounded.ts'
import { createBearers } from '../../../src/mint/google/bearers.ts'
import { type Attempt, explainRefusal } from '../../../src/mint/google/failures.ts'
import { memberOf, tokenUrl } from '../../../src/mint/google/pools.ts'
import { plain, Refusal } from '../../../src/mint/google/refusal.ts'
import { programSupplier, subjectTokenMissing } from '../../../src/mint/google/subject-token.ts'
import { explainThrown, isPassing, isUntrusted } from '../../../src/mint/google/thrown.ts'
import { accessTokenOf, answered, idTokenOf } from '../../../src/mint/google/tokens.ts'
import type { Transport } from '../../../src/mint/google/transport.ts'
import { apiError, errorInfo } from '../../google/answers.ts'

const HOST = 'iam.example'
const ANN: Attempt = { holder: { name: 'ann', member: 'user:ann' }, form: 'user', kind: 'id' }

/** Code and words, and where asked for the beginning of the fix. */
const told = ({ code, message }: SidemintError) => `${code}: ${message}`

const oauth = (error: string, error_description?: string, error_subtype?: string) =>
  new Refusal(HOST, 400, { error, error_description, error_subtype })

const OAUTH: [title: string, refusal: Refusal, attempt: Partial<Attempt>, expected: string][] = [
  ['the audience', oauth('invalid_scope', 'Bad a.'), {}, 'AUDIENCE_REFUSED: Google refused the audience: Bad a'],
  [
    'the scopes',
    oauth('invalid_scope', 'Bad s.'),
    { kind: 'access' },
    'SCOPES_REFUSED: Google refused the scopes: Bad s',
  ],
  [
    'a subject token',
    oauth('invalid_grant', 'gone'),
    { form: 'federated' },
    'SUBJECT_TOKEN_REFUSED: Google refused the subject token of ann: invalid_grant gone',
  ],
  [
    'a subject token, though in the words of a session that ended',
    oauth('invalid_grant', 'gone', 'invalid_rapt'),
    { form: 'federated' },
    'SUBJECT_TOKEN_REFUSED: Google refused the subject token of ann: invalid_grant gone',
  ],
  [
    'a key, though in the words of a session that ended',
    oauth('invalid_grant', 'gone', 'invalid_rapt'),
    { form: 'key' },
    'KEY_REFUSED: Google refused the key of ann: invalid_grant gone',
  ],
  [
    'a workload with a wrong client',
    oauth('invalid_client', 'who'),
    { form: 'federated' },
    'UPSTREAM_REFUSED: iam.example refused with 400: invalid_client who',
  ],
  [
    'a key',
    oauth('invalid_grant', 'Bad key.'),
    { form: 'key' },
    'KEY_REFUSED: Google refused the key of ann: invalid_grant Bad key',
  ],
  [
    'a key, for another reason',
    oauth('invalid_client'),
    { form: 'key' },
    'UPSTREAM_REFUSED: iam.example refused with 400: invalid_client',
  ],
  [
    'a login',
    oauth('invalid_grant', 'gone', 'other'),
    {},
    'LOGIN_EXPIRED: Google no longer accepts ann: invalid_grant gone',
  ],
  ...[oauth('invalid_grant', 'x', 'invalid_rapt'), oauth('invalid_grant', 'Reauth needed')].map(
    (refusal): (typeof OAUTH)[number] => [
      'a session that ended',
      refusal,
      {},
      'REAUTH_REQUIRED: Google wants ann to sign in again (invalid_rapt: the session limit of your organisation)',
    ],
  ),
  [
    'something without words',
    new Refusal(HOST, 403, ''),
    {},
    'UPSTREAM_REFUSED: iam.example refused with 403: no reason given',
  ],
  [
    'something in words',
    new Refusal(HOST, 403, ' No way. '),
    {},
    'UPSTREAM_REFUSED: iam.example refused with 403: No way',
  ],
  ['a page', new Refusal(HOST, 403, ' <p>No'), {}, 'UPSTREAM_REFUSED: iam.example refused with 403: no reason given'],
  [
    'JSON as text',
    new Refusal(HOST, 403, '{"message":"No."}'),
    {},
    'UPSTREAM_REFUSED: iam.example refused with 403: No',
  ],
  ['a list', new Refusal(HOST, 403, [1]), {}, 'UPSTREAM_REFUSED: iam.example refused with 403: no reason given'],
  ['null', new Refusal(HOST, 403, null), {}, 'UPSTREAM_REFUSED: iam.example refused with 403: no reason given'],
  [
    'an error that is a number',
    new Refusal(HOST, 403, { error: 7, message: 'seven' }),
    {},
    'UPSTREAM_REFUSED: iam.example refused with 403: seven',
  ],
]
for (const [title, refusal, attempt, expected] of OAUTH) {
  test(`what Google refuses is told: ${title} ${refusal.reason} ${refusal.oauth?.subtype ?? ''}`, (t) => {
    t.is(told(explainRefusal(refusal, { ...ANN, ...attempt })), expected)
  })
}

const api = (status: number, message: string, reason?: string, metadata = {}) => {
  const details = reason === undefined ? [] : [errorInfo(reason, metadata)]
  return new Refusal(HOST, status, apiError(status, message, details).answer.body)
}
const denial = (permission: string) => api(403, `Permission '${permission}' denied on resource.`)
const OFF = 'API_DISABLED: the IAM Service Account Credentials API is off in project'
const ID_TOKEN = 'iam.serviceAccounts.getOpenIdToken'
const DELEGATION = 'iam.serviceAccounts.implicitDelegation'
const TO_B: Partial<Attempt> = { target: 'b@x' }

const API: [refusal: Refusal, attempt: Partial<Attempt>, expected: string][] = [
  [api(403, 'Off.', 'SERVICE_DISABLED', { consumer: 'projects/12' }), { quotaProject: 'q' }, `${OFF} 12`],
  [api(403, 'Off.', 'SERVICE_DISABLED'), { quotaProject: 'q' }, `${OFF} q`],
  [api(403, 'Off.', 'SERVICE_DISABLED'), {}, `${OFF} PROJECT`],
  // Those of `gcloud auth application-default login` and of `gcloud auth login`.
  ...['764086051850', '32555940559'].map((project): (typeof API)[number] => [
    api(403, 'Off.', 'SERVICE_DISABLED', { consumer: `projects/${project}` }),
    {},
    'QUOTA_PROJECT_MISSING: ann has no quota project, and the IAM Service Account Credentials API needs one',
  ]),
  [
    api(403, 'No.', 'USER_PROJECT_DENIED', { consumer: 'projects/12' }),
    {},
    'QUOTA_PROJECT_DENIED: ann may not use the quota project 12',
  ],
  [
    api(403, 'No.', 'USER_PROJECT_DENIED', { consumer: 'projects/12' }),
    { quotaProject: 'q' },
    'QUOTA_PROJECT_DENIED: ann may not use the quota project q',
  ],
  [
    api(403, 'No.', 'ACCESS_TOKEN_SCOPE_INSUFFICIENT'),
    {},
    'LOGIN_TOO_NARROW: the credentials of ann lack the scope cloud-platform',
  ],
  [denial(ID_TOKEN), TO_B, `IMPERSONATION_DENIED: ann may not mint as b@x (${ID_TOKEN})`],
  [api(403, 'No.', 'X', { permission: 'iam.p' }), TO_B, 'IMPERSONATION_DENIED: ann may not mint as b@x (iam.p)'],
  [api(403, 'No.', 'IAM_PERMISSION_DENIED'), TO_B, `IMPERSONATION_DENIED: ann may not mint as b@x (${ID_TOKEN})`],
  [
    api(403, 'No.', 'IAM_PERMISSION_DENIED'),
    { ...TO_B, kind: 'access' },
    'IMPERSONATION_DENIED: ann may not mint as b@x (iam.serviceAccounts.getAccessToken)',
  ],
  [api(403, 'No.', 'IAM_PERMISSION_DENIED'), {}, `IMPERSONATION_DENIED: ann may not mint as ann (${ID_TOKEN})`],
  [
    api(400, `Permission '${ID_TOKEN}' denied.`),
    TO_B,
    `UPSTREAM_REFUSED: iam.example refused with 400: Permission '${ID_TOKEN}' denied`,
  ],
  [
    denial(DELEGATION),
    { ...TO_B, delegates: ['h@x'] },
    `IMPERSONATION_DENIED: ann may not mint as h@x (${DELEGATION})`,
  ],
  [
    denial(DELEGATION),
    { ...TO_B, delegates: ['h@x', 'i@x'] },
    `IMPERSONATION_DENIED: ann may not mint as h@x (${DELEGATION}, here or further along h@x -> i@x)`,
  ],
  [denial(DELEGATION), TO_B, `IMPERSONATION_DENIED: ann may not mint as b@x (${DELEGATION})`],
  [
    denial(ID_TOKEN),
    { ...TO_B, delegates: ['h@x', 'i@x'] },
    `IMPERSONATION_DENIED: i@x may not mint as b@x (${ID_TOKEN})`,
  ],
  [api(404, 'Not found.'), TO_B, 'ACCOUNT_NOT_FOUND: there is no service account b@x'],
  [api(404, 'Not found.'), {}, 'UPSTREAM_REFUSED: iam.example refused with 404: Not found'],
  [api(400, 'Bad Scope.'), TO_B, 'SCOPES_REFUSED: Google refused the scopes: Bad Scope'],
  [api(403, 'Bad scope.'), TO_B, 'UPSTREAM_REFUSED: iam.example refused with 403: Bad scope'],
  [api(400, 'Bad Audience.'), TO_B, 'AUDIENCE_REFUSED: Google refused the audience: Bad Audience'],
  [api(403, 'Bad audience.'), TO_B, 'UPSTREAM_REFUSED: iam.example refused with 403: Bad audience'],
  [api(403, 'No u1.', 'X', { uid: 'u1' }), {}, 'UPSTREAM_REFUSED: iam.example refused with 403: No u1'],
  [
    api(403, 'No.', 'X', { uid: 'u1' }),
    {},
    'UPSTREAM_REFUSED: iam.example refused with 403: No. vpcServiceControlsUniqueIdentifier: u1',
  ],
  [new Refusal(HOST, 403, { error: {} }), {}, 'UPSTREAM_REFUSED: iam.example refused with 403: '],
  [
    new Refusal(HOST, 403, {
      error: { message: 'No.', details: [null, { reason: 7 }, { reason: 'SERVICE_DISABLED' }] },
    }),
    { quotaProject: 'q' },
    `${OFF} q`,
  ],
  [
    new Refusal(HOST, 403, { error: { message: 'No.', details: 7 } }),
    {},
    'UPSTREAM_REFUSED: iam.example refused with 403: No',
  ],
]
for (const [refusal, attempt, expected] of API) {
  const { target = 'itself', delegates = [], kind = 'id', quotaProject } = attempt
  const of = [kind, target, ...delegates, quotaProject].filter(Boolean).join(' ')
  test(`what IAM refuses is told: ${refusal.status} ${JSON.stringify(refusal.api)} of ${of}`, (t) => {
    t.is(told(explainRefusal(refusal, { ...ANN, ...attempt })), expected)
  })
}

test('the role that lacks is the one that gives the token, to whoever asks for it', (t) => {
  const roleOf = (refusal: Refusal, attempt: Partial<Attempt>) =>
    /--member=(\S+) --role=(\S+)/.exec(explainRefusal(refusal, { ...ANN, ...TO_B, ...attempt }).fix)?.slice(1)
  const CREATOR = 'roles/iam.serviceAccountTokenCreator'
  t.deepEqual(roleOf(denial(ID_TOKEN), {}), ['user:ann', 'roles/iam.serviceAccountOpenIdTokenCreator'])
  t.deepEqual(roleOf(denial('iam.serviceAccounts.getAccessToken'), {}), ['user:ann', CREATOR])
  t.deepEqual(roleOf(denial(DELEGATION), { delegates: ['h@x'] }), ['user:ann', CREATOR])
  t.deepEqual(roleOf(denial(ID_TOKEN), { delegates: ['h@x'] }), [
    'serviceAccount:h@x',
    'roles/iam.serviceAccountOpenIdTokenCreator',
  ])
})

test('words from outside are one line of at most 300 characters, without what could be a token', (t) => {
  for (const [words, shown] of [
    [' a\n\tb\u0000c ', 'a b c'],
    ['Done.', 'Done'],
    ['Wait...', 'Wait...'],
    [`key ${'x'.repeat(39)}`, `key ${'x'.repeat(39)}`],
    [`key ${'x'.repeat(40)}`, 'key ...'],
    ['y '.repeat(200), 'y '.repeat(150)],
    [`https://a.example/${'x'.repeat(40)}/b`, 'https://a.example/.../b'],
  ] as const) {
    t.is(plain(words), shown)
  }
})

const PROXY = { url: new URL('http://proxy:8080'), address: 'proxy:8080', variable: 'HTTPS_PROXY' }
const direct = { url: new URL('https://iam.example/token'), proxy: undefined }
const proxied = { ...direct, proxy: PROXY } as unknown as Parameters<typeof explainThrown>[1]
const response = (status: number, location?: string) => ({
  response: { status, data: 'words', headers: new Headers(location === undefined ? {} : { location }) },
})

const THROWN: [thrown: object, to: typeof proxied, passing: boolean, expected: string][] = [
  [new OutOfTime('x'), direct, false, '503 UPSTREAM_TIMEOUT: iam.example did not answer in time (without a proxy)'],
  [
    new OutOfTime('x'),
    proxied,
    false,
    '503 UPSTREAM_TIMEOUT: iam.example did not answer in time (through the proxy proxy:8080)',
  ],
  ...[301, 302, 303, 307, 308].map((status): (typeof THROWN)[number] => [
    response(status, 'https://login.example/a'),
    direct,
    false,
    '403 REDIRECT_REFUSED: iam.example redirects to login.example, and credentials follow no redirect',
  ]),
  [
    response(302),
    direct,
    false,
    '403 REDIRECT_REFUSED: iam.example redirects to an address that is not a URL, and credentials follow no redirect',
  ],
  [response(429), direct, true, '503 RATE_LIMITED: iam.example says there were too many requests'],
  ...[408, 500, 503, 599].map((status): (typeof THROWN)[number] => [
    response(status),
    direct,
    true,
    `503 UPSTREAM_UNAVAILABLE: iam.example answered ${status}`,
  ]),
  ...[200, 300, 304, 309, 399].map((status): (typeof THROWN)[number] => [
    response(status),
    direct,
    false,
    '503 UPSTREAM_GARBAGE: iam.example answered with something that is not a token',
  ]),
  ...[400, 407, 409, 428, 430, 499].map((status): (typeof THROWN)[number] => [
    response(status),
    direct,
    false,
    `refused ${status} words`,
  ]),
  ...[
    {},
    { code: 7 },
    { code: 'HPE_INVALID' },
    { code: 'Z_DATA_ERROR' },
    { code: 'EPROTO' },
    { code: 'ERR_SSL_X' },
  ].map((thrown): (typeof THROWN)[number] => [
    thrown,
    direct,
    false,
    '503 UPSTREAM_GARBAGE: iam.example answered with something that is not a token',
  ]),
  [
    { code: 'ECONNRESET' },
    direct,
    true,
    '503 NETWORK_DOWN: iam.example cannot be reached (ECONNRESET, without a proxy)',
  ],
  [
    { code: 'ENOTFOUND' },
    proxied,
    true,
    '503 NETWORK_DOWN: iam.example cannot be reached (ENOTFOUND, through the proxy proxy:8080)',
  ],
  [{ code: 'PROXY_X' }, direct, false, '503 NETWORK_DOWN: iam.example cannot be reached (PROXY_X, without a proxy)'],
  ...['CERT_HAS_EXPIRED', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER', 'ERR_TLS_ALTNAME'].map(
    (code): (typeof THROWN)[number] => [
      { code },
      direct,
      false,
      `403 TLS_UNTRUSTED: the certificate of iam.example is not trusted (${code})`,
    ],
  ),
  [
    { code: 'PROXY_CERT_HAS_EXPIRED' },
    proxied,
    false,
    '403 TLS_UNTRUSTED: the certificate of the proxy proxy:8080 is not trusted (CERT_HAS_EXPIRED)',
  ],
  ...(
    [
      ['407', 'status 407', 403, false],
      ['408', 'status 408', 503, true],
      ['429', 'status 429', 503, true],
      ['502', 'status 502', 503, true],
      ['CLOSED', 'it closed the connection', 503, true],
      ['ECONNRESET', 'it closed the connection', 503, true],
      ['NOT_HTTP', 'it does not speak HTTP as a proxy does', 403, false],
      ['EPROTO', 'it does not speak HTTP as a proxy does', 403, false],
    ] as const
  ).map(([code, reason, status, passing]): (typeof THROWN)[number] => [
    { code: `PROXY_${code}` },
    proxied,
    passing,
    `${status} PROXY_REFUSED: the proxy proxy:8080 did not connect to iam.example: ${reason}`,
  ]),
  [
    { code: 'PROXY_ECONNREFUSED' },
    proxied,
    true,
    '503 NETWORK_DOWN: iam.example cannot be reached (ECONNREFUSED, through the proxy proxy:8080)',
  ],
]
for (const [thrown, to, passing, expected] of THROWN) {
  const { code = '', response: answer } = thrown as { code?: string; response?: { status: number } }
  const way = to.proxy === undefined ? '' : ', through a proxy'
  test(`what a call failed with (${code}${answer?.status ?? ''}${way}) may pass or not, and is told: ${expected}`, (t) => {
    const error = explainThrown(thrown, to)
    const words =
      error instanceof Refusal ? `refused ${error.status} ${error.reason}` : `${error.status} ${told(error)}`
    t.is(words, expected)
    t.is(isPassing(thrown), passing)
    t.is(isUntrusted(thrown), expected.includes('TLS_UNTRUSTED'))
  })
}

test('a failure that is told already is told as it is', (t) => {
  const error = explainThrown(new OutOfTime('x'), direct)
  t.is(explainThrown(error, direct), error)
  const refusal = new Refusal(HOST, 403, '')
  t.is(explainThrown(refusal, direct), refusal)
  t.is(refusal.name, 'Refusal')
})

const idToken = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`

test('a token lives from its arrival for as long as the answer says', (t) => {
  const nowMs = 1_000_000
  const now = () => nowMs
  t.deepEqual(idTokenOf(idToken({ exp: 160, iat: 100 }), HOST, now), {
    value: idToken({ exp: 160, iat: 100 }),
    expiresAtMs: nowMs + 60_000,
    served: 'mint',
  })
  for (const value of [7, undefined, 'a', idToken({ exp: 1 }), idToken({ iat: 1 })]) {
    t.throws(() => idTokenOf(value, HOST, now), { code: 'UPSTREAM_GARBAGE' })
  }
  const before = Date.now()
  const { expiresAtMs, ...rest } = accessTokenOf('ya29.a', before + 60_000, HOST, now)
  t.deepEqual(rest, { value: 'ya29.a', served: 'mint' })
  t.true(expiresAtMs <= nowMs + 60_000 && expiresAtMs >= nowMs + 60_000 - (Date.now() - before))
  for (const [value, end] of [
    [7, before],
    ['', before],
    ['ya29.a', undefined],
  ]) {
    t.throws(() => accessTokenOf(value, end, HOST, now), { code: 'UPSTREAM_GARBAGE' })
  }
})

test("an answer that Google's library cannot read is garbage, and what is ours stays", async (t) => {
  t.is(await answered(HOST, async () => 7), 7)
  await t.throwsAsync(
    answered(HOST, () => Promise.reject(new Error('eyJ'))),
    { code: 'UPSTREAM_GARBAGE' },
  )
  for (const ours of [new Refusal(HOST, 403, ''), explainThrown(new OutOfTime('x'), direct)]) {
    t.is(await t.throwsAsync(answered(HOST, () => Promise.reject(ours))), ours as Error)
  }
})

test('an access token for calls is used while more than a minute is left, and fetched once for all', async (t) => {
  let nowMs = 0
  let fetched = 0
  const fetch = async () => ({ value: `${++fetched}`, expiresAtMs: nowMs + 100_000, served: 'mint' as const })
  const { kept, fresh } = createBearers(fetch, () => nowMs)
  t.is(kept('a'), undefined)
  t.deepEqual(
    (await Promise.all([fresh('a'), fresh('a')])).map(({ value }) => value),
    ['1', '1'],
  )
  nowMs = 39_999
  t.is(kept('a')?.value, '1')
  t.is(kept('b'), undefined)
  nowMs = 40_000
  t.is(kept('a'), undefined)
  t.is((await fresh('a')).value, '2')
})

test('a pool names its host, and whom it signs in', (t) => {
  t.is(tokenUrl(undefined, '/v1/token', 'googleapis.com'), 'https://sts.googleapis.com/v1/token')
  t.is(tokenUrl(undefined, '/v1/token', 'a.example'), 'https://sts.a.example/v1/token')
  t.is(tokenUrl('https://sts.googleapis.com/x', '/v1/token', 'googleapis.com'), 'https://sts.googleapis.com/x')
  t.is(tokenUrl('https://sts.b.example/x', '/v1/token', 'a.example'), 'https://sts.b.example/x')
  t.throws(() => tokenUrl('https://sts.googleapis.com/x', '/v1/token', 'a.example'), {
    code: 'UNIVERSE_UNSUPPORTED',
    message: 'a token_url at sts.googleapis.com cannot be used in the universe a.example',
  })
  const pool = 'locations/global/workforcePools/acme'
  for (const audience of [`//iam.googleapis.com/${pool}/providers/p`, `${pool}/providers/p`]) {
    t.deepEqual(memberOf(audience, 'login', 'eve'), {
      name: 'the login of pool acme',
      member: `principal://iam.googleapis.com/${pool}/subject/eve`,
    })
  }
  t.deepEqual(memberOf(undefined, 'login'), {
    name: 'the login of pool POOL',
    member: 'principal://iam.googleapis.com/POOL/subject/SUBJECT',
  })
  t.is(memberOf('', 'login', 'a|b').member, "'principal://iam.googleapis.com/POOL/subject/a|b'")
})

test('why there is no subject token is told by the place where it was looked for', (t) => {
  const missing = (source: CredentialSource, thrown: object) => told(subjectTokenMissing(source, thrown))
  for (const thrown of [{ killed: true }, { code: 'ABORT_ERR' }]) {
    t.is(missing({ file: '/f' }, thrown), 'SOURCE_TIMEOUT: the credential source did not answer in time')
  }
  for (const [source, thrown, words] of [
    [{ file: '/f' }, { code: 'ENOENT' }, '/f: ENOENT'],
    [{ file: '/f' }, new Error('eyJ'), '/f: nothing usable is there'],
    [{ url: 'https://a.example/t?key=s' }, new Refusal('a.example', 404, ''), 'https://a.example/t: it answered 404'],
    [{ url: 'https://a.example/t' }, new Refusal('a.example', 403, 'No.'), 'https://a.example/t: it answered 403: No'],
    [{ executable: { command: '"/a b/c" d' } }, { code: 3 }, 'the program "/a b/c": it ended with exit code 3'],
    [{ executable: { command: '' } }, { code: 'EACCES' }, 'the program "": EACCES'],
    [{ environment_id: 'aws1' }, {}, 'AWS: nothing usable is there'],
    [{ environment_id: 'aws1', url: 'https://a.example/' }, {}, 'https://a.example/: nothing usable is there'],
    [{}, {}, 'credential_source: it names no file, no URL, no program and no AWS environment'],
  ] as const) {
    t.is(missing(source, thrown), `SUBJECT_TOKEN_MISSING: no subject token from ${words}`)
  }
})

/** The subject token of a program that says this, or that it left this in its file. */
function subjectOf(answer: object, from: 'program' | 'file') {
  const text = JSON.stringify(answer)
  const file = join(mkdtempSync(join(tmpdir(), 'sidemint-subject-')), 'kept.json')
  if (from === 'file') writeFileSync(file, text)
  const program = { command: from === 'file' ? 'false' : `echo ${text}`, output_file: file }
  const asked = { audience: 'a', subject_token_type: 'b', credential_source: { executable: program } }
  const env = { ...process.env, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: '1' }
  const supplier = programSupplier(program, asked, {
    env,
    transport: { signal: () => undefined } as unknown as Transport,
  })
  return supplier.getSubjectToken().finally(() => rmSync(dirname(file), { recursive: true }))
}

const GOOD = { version: 1, success: true, id_token: 'token' }
test.serial('a program gives a subject token that is valid now, or none', async (t) => {
  const { now } = Date
  Date.now = () => 1_000_000
  try {
    for (const answer of [
      GOOD,
      { ...GOOD, id_token: undefined, saml_response: 'token' },
      { ...GOOD, expiration_time: 1_001 },
    ]) {
      t.is(await subjectOf(answer, 'file'), 'token', JSON.stringify(answer))
    }
    t.is(await subjectOf(GOOD, 'program'), 'token')
    for (const answer of [
      {},
      { ...GOOD, version: 2 },
      { ...GOOD, success: 'true' },
      { ...GOOD, id_token: 7 },
      { ...GOOD, id_token: undefined },
      { ...GOOD, expiration_time: 1_000 },
    ]) {
      const message = /it answered without a token that is valid now$/
      await t.throwsAsync(subjectOf(answer, 'program'), { message }, JSON.stringify(answer))
    }
    await t.throwsAsync(subjectOf({ ...GOOD, expiration_time: 1_000 }, 'file'), { message: /^Command failed: false/ })
  } finally {
    Date.now = now
  }
})

test('a program that failed without a word is told as that', async (t) => {
  await t.throwsAsync(subjectOf({ success: false }, 'program'), {
    code: 'SUBJECT_TOKEN_MISSING',
    message: 'no subject token from the program "echo": it answered without success:',
  })
})
