import { execFile, execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { SidemintError } from '../../src/core/errors.ts'
import { describeAdc } from '../../src/mint/adc.ts'
import { gcloudDirectory, locateAdc, misplacedLogin, oddity, refuseMisplacedLogin } from '../../src/mint/adc-place.ts'
import { readAdc } from '../../src/mint/adc-read.ts'

const FILE = 'application_default_credentials.json'
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PEM = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const KEY = { type: 'service_account', client_email: 'ci@acme-dev.iam.gserviceaccount.com', private_key: PEM }
const USER = { type: 'authorized_user', client_id: 'id', client_secret: 'GOCSPX-x', refresh_token: '1//refresh' }
const WORKLOAD = {
  type: 'external_account',
  audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/x',
  subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  credential_source: { file: '/token' },
}
const URL_OF = (email: string) =>
  `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${email}:generateAccessToken`

const scratch = mkdtempSync(join(tmpdir(), 'sidemint-adc-'))
test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

const directory = () => mkdtempSync(join(scratch, 'a-'))

const readFrom = (path: string) => readAdc(locateAdc({ GOOGLE_APPLICATION_CREDENTIALS: path }))

let files = 0

function read(content: unknown) {
  const path = join(scratch, `adc-${files++}.json`)
  writeFileSync(path, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content))
  return readFrom(path)
}

async function failureOf(t: ExecutionContext, reading: Promise<unknown>): Promise<SidemintError> {
  return t.throwsAsync(reading, { instanceOf: SidemintError }) as Promise<SidemintError>
}

const PLACES: [title: string, env: NodeJS.ProcessEnv, path: string][] = [
  ['the variable names the file', { GOOGLE_APPLICATION_CREDENTIALS: '/k.json', CLOUDSDK_CONFIG: '/c' }, '/k.json'],
  ["gcloud's directory holds it", { CLOUDSDK_CONFIG: '/c', HOME: '/h' }, `/c/${FILE}`],
  [
    'empty variables are unset',
    { GOOGLE_APPLICATION_CREDENTIALS: '', CLOUDSDK_CONFIG: '', HOME: '/h' },
    `/h/.config/gcloud/${FILE}`,
  ],
  ['the home directory is the last place', { HOME: '/h' }, `/h/.config/gcloud/${FILE}`],
  [
    'what `sidemint env` hid is looked at',
    { CLOUDSDK_CONFIG: '/empty', SIDEMINT_HOST_CLOUDSDK_CONFIG: '/c' },
    `/c/${FILE}`,
  ],
  [
    'it may have hidden nothing',
    { CLOUDSDK_CONFIG: '/empty', SIDEMINT_HOST_CLOUDSDK_CONFIG: '', HOME: '/h' },
    `/h/.config/gcloud/${FILE}`,
  ],
]
for (const [title, env, path] of PLACES) {
  test(`where the credentials are: ${title}`, (t) => {
    t.is(locateAdc(env).path, path)
  })
}

test("on Windows gcloud's directory is in APPDATA, elsewhere in the home directory", (t) => {
  const env = { APPDATA: '/roaming', HOME: '/h' }
  t.is(gcloudDirectory(env, 'win32').directory, '/roaming/gcloud')
  t.is(gcloudDirectory({}, 'win32').directory, 'gcloud')
  t.is(gcloudDirectory(env, 'darwin').directory, '/h/.config/gcloud')
  t.is(gcloudDirectory({}, 'linux').directory, `${homedir()}/.config/gcloud`)
})

test('each form of credential is read for what is asked of it', async (t) => {
  t.like(await read(KEY), { credential: { kind: 'key', email: KEY.client_email } })
  t.like(await read({ ...KEY, project_id: 'acme' }), { project: 'acme' })
  t.like(await read({ ...USER, quota_project_id: 'quota' }), { credential: { kind: 'user' }, quotaProject: 'quota' })
  t.like(await read({ type: 'gdch_service_account' }), { credential: { kind: 'gdch' } })
  t.like(await read({ ...USER, type: 'external_account_authorized_user' }), { credential: { kind: 'workforce' } })
})

test('what a file says in another type than text, or says empty, it does not say', async (t) => {
  const empty = { quotaProject: undefined, project: undefined, universe: undefined }
  for (const more of [{}, { quota_project_id: '', universe_domain: '' }, { quota_project_id: 7, project_id: 7 }]) {
    const { credential: _, ...rest } = await read({ ...KEY, ...more })
    t.deepEqual({ ...empty, ...rest }, empty)
  }
})

test('a credential is described by what it is, and by its universe where that is not the one of Google', async (t) => {
  const around = (source_credentials: object) => ({
    type: 'impersonated_service_account',
    service_account_impersonation_url: URL_OF('orders@x'),
    source_credentials,
  })
  for (const [content, said] of [
    [KEY, `service account key of ${KEY.client_email}`],
    [USER, 'user login'],
    [{ ...USER, universe_domain: 'googleapis.com' }, 'user login'],
    [{ ...KEY, universe_domain: 'a.example' }, `service account key of ${KEY.client_email} of the universe a.example`],
    [around(USER), 'user login, impersonating orders@x'],
    [around({ ...USER, universe_domain: 'a.example' }), 'user login, impersonating orders@x of the universe a.example'],
    [WORKLOAD, 'workload identity federation'],
    [{ ...USER, type: 'external_account_authorized_user' }, 'workforce login'],
    [{ type: 'gdch_service_account' }, 'GDCH service account'],
  ] as const) {
    t.is(describeAdc(await read(content)), said)
  }
})

test('an account may be named by its unique id, and a delegate as a resource', async (t) => {
  const file = {
    type: 'impersonated_service_account',
    service_account_impersonation_url: URL_OF('1234567890'),
    delegates: ['projects/-/serviceAccounts/hop@x', '42'],
    source_credentials: USER,
  }
  t.like((await read(file)).credential, { email: '1234567890', delegates: ['hop@x', '42'] })
})

test('impersonation is read through every layer, and its quota project where the layer has it', async (t) => {
  const inner = {
    type: 'impersonated_service_account',
    service_account_impersonation_url: URL_OF('middle@x'),
    source_credentials: USER,
  }
  const outer = {
    type: 'impersonated_service_account',
    service_account_impersonation_url: URL_OF('orders@x'),
    delegates: ['a@x'],
    source_credentials: { ...inner, quota_project_id: 'inner' },
  }
  t.like(await read(outer), {
    quotaProject: 'inner',
    credential: {
      kind: 'impersonated',
      email: 'orders@x',
      delegates: ['a@x'],
      source: { kind: 'impersonated', email: 'middle@x', source: { kind: 'user' } },
    },
  })
})

test('a federated credential with an account is an impersonation of our own', async (t) => {
  t.like(await read(WORKLOAD), { credential: { kind: 'federated' } })
  const { credential } = await read({ ...WORKLOAD, service_account_impersonation_url: URL_OF('orders%40x') })
  t.like(credential, { kind: 'impersonated', email: 'orders@x', delegates: [], source: { kind: 'federated' } })
  t.false(JSON.stringify(credential).includes('generateAccessToken'), 'or the library would impersonate first')
})

test('a file that is not there names where it was looked for', async (t) => {
  const error = await failureOf(t, readFrom('/nowhere/adc.json'))
  t.like(error, { code: 'CREDENTIALS_MISSING', status: 403 })
  t.is(error.message, 'no Google credentials at /nowhere/adc.json (GOOGLE_APPLICATION_CREDENTIALS names it)')
  t.regex(
    error.fix,
    /^look at the spelling of that path; or gcloud auth application-default login writes another file than .*: unset that, or copy/,
  )
  const gcloud = await failureOf(t, readAdc(locateAdc({ CLOUDSDK_CONFIG: '/nowhere' })))
  t.regex(gcloud.fix, /^gcloud auth application-default login on the host \(not gcloud auth login\)/)
  const mounted = await failureOf(t, readFrom(`/nowhere/${FILE}`))
  t.is(mounted.fix, gcloud.fix, 'the variable names the file that gcloud writes')
})

test('a path through a file, in a circle or too long leads to no file either', async (t) => {
  const place = directory()
  const circle = join(place, 'circle')
  symlinkSync(circle, circle)
  writeFileSync(join(place, 'file'), '')
  for (const path of [join(place, 'file', 'adc.json'), circle, join(place, 'ä'.repeat(200))]) {
    t.like(await failureOf(t, readFrom(path)), { code: 'CREDENTIALS_MISSING', status: 403 })
  }
})

for (const [path, reason] of [
  ['~/key.json', /begins with ~, which only a shell expands/],
  ['"/keys/key.json"', /has quotes around it/],
  ["'/keys/key.json'", /has quotes around it/],
  ['$HOME/key.json', /holds a variable, which only a shell expands/],
  ['%USERPROFILE%/key.json', /holds a variable/],
  ['C:\\Users\\ann\\key.json', /is a path of Windows, and this is linux/],
  ['/nowhere/key.json ', /ends with a space/],
] as const) {
  const onLinux = process.platform === 'linux' ? test : test.skip
  onLinux(`a path that leads nowhere says what is wrong with it: ${path}`, async (t) => {
    const error = await failureOf(t, readFrom(path))
    t.like(error, { code: 'CREDENTIALS_MISSING', status: 403 })
    t.regex(error.message, reason)
    t.regex(error.fix, /write the whole path/)
  })
}

test('a plain path has nothing odd', (t) => {
  t.is(oddity('/keys/my key.json'), undefined)
  t.is(oddity('C:\\key.json', 'win32'), undefined)
})

test('an error names the variable that does not hold a path', async (t) => {
  for (const variable of ['GOOGLE_APPLICATION_CREDENTIALS', 'CLOUDSDK_CONFIG']) {
    const { message } = await failureOf(t, readAdc(locateAdc({ [variable]: '{"a": 1}' })))
    t.true(message.startsWith(`${variable} does not hold the path of a file`), message)
  }
})

for (const [title, value] of [
  ['the JSON itself', JSON.stringify(KEY)],
  ['the JSON in lines', JSON.stringify(KEY, null, 2)],
  ['base64 of it', Buffer.from(JSON.stringify(KEY)).toString('base64')],
  [
    'base64 of it in lines',
    Buffer.from(JSON.stringify(KEY, null, 2))
      .toString('base64')
      .replace(/(.{76})/g, '$1\n'),
  ],
  ['the private key', PEM],
  ['a path and a line break', '/keys/key.json\n'],
] as const) {
  test(`what is not a path is an error that says so and shows nothing of it: ${title}`, async (t) => {
    const error = await failureOf(t, readFrom(value))
    t.is(error.code, 'CREDENTIALS_NOT_A_PATH')
    t.is(
      error.message,
      'GOOGLE_APPLICATION_CREDENTIALS does not hold the path of a file: it holds the credentials themselves, or a line break',
    )
    t.regex(error.fix, /SIDEMINT_CREDENTIALS/)
    const place = locateAdc({ GOOGLE_APPLICATION_CREDENTIALS: value })
    t.false(JSON.stringify(place).includes(value.slice(0, 30)))
  })
}

test('a secret in the place of a path is shown by neither variable', async (t) => {
  const json = JSON.stringify({ ...KEY, private_key: PEM })
  const base64 = Buffer.from(json).toString('base64')
  for (const value of [json, base64, base64.slice(200, 1_400), encodeURIComponent(json), PEM]) {
    for (const variable of ['GOOGLE_APPLICATION_CREDENTIALS', 'CLOUDSDK_CONFIG']) {
      const error = await failureOf(t, readAdc(locateAdc({ [variable]: value })))
      t.is(error.code, 'CREDENTIALS_NOT_A_PATH')
      t.false(`${error.message}${error.fix}`.includes(value.slice(40, 80)))
    }
  }
})

test('SIDEMINT_CREDENTIALS holds the content, JSON or base64 of it, and goes before the file', async (t) => {
  const json = JSON.stringify(KEY)
  for (const content of [
    json,
    JSON.stringify(KEY, null, 2),
    Buffer.from(json).toString('base64'),
    Buffer.from(json).toString('base64url'),
    Buffer.from(json)
      .toString('base64')
      .replace(/(.{76})/g, '$1\n'),
    `"${Buffer.from(json).toString('base64')}"`,
    `'${json}'\n`,
  ]) {
    const place = locateAdc({ SIDEMINT_CREDENTIALS: content, GOOGLE_APPLICATION_CREDENTIALS: '/nowhere' })
    t.like(await readAdc(place), { credential: { kind: 'key', email: KEY.client_email } })
    t.is(place.name, 'SIDEMINT_CREDENTIALS')
  }
  const error = await failureOf(t, readAdc(locateAdc({ SIDEMINT_CREDENTIALS: json.slice(0, 100) })))
  t.is(error.message, 'SIDEMINT_CREDENTIALS does not hold Google credentials: it is not JSON, or only half written')
  t.is(error.fix, 'put the content of a credential file into SIDEMINT_CREDENTIALS, or what `base64 -w0` makes of it')
})

test('a path in SIDEMINT_CREDENTIALS is said as that, and not shown', async (t) => {
  for (const path of [
    '/home/ann/S3CRET.json',
    '~/S3CRET',
    './S3CRET',
    'keys/S3CRET.json',
    'C:\\keys\\S3CRET',
    '"/S3CRET"',
  ]) {
    const error = await failureOf(t, readAdc(locateAdc({ SIDEMINT_CREDENTIALS: path })))
    t.is(error.message, 'SIDEMINT_CREDENTIALS does not hold Google credentials: it looks like the path of a file')
    t.is(
      error.fix,
      "put that file's content there, or name it in GOOGLE_APPLICATION_CREDENTIALS and unset SIDEMINT_CREDENTIALS",
    )
  }
})

const ENCODED = JSON.stringify(KEY)
const withKey = (pem: string) => JSON.stringify({ ...KEY, private_key: pem })
for (const [title, content, reason, fix] of [
  ['UTF-16', Buffer.from(`\uFEFF${ENCODED}`, 'utf16le'), /it is UTF-16/, /UTF-8/],
  ['UTF-16 without its mark', Buffer.from(ENCODED, 'utf16le'), /it is UTF-16/, /UTF-8/],
  ['UTF-16, big-endian', Buffer.from(`\uFEFF${ENCODED}`, 'utf16le').swap16(), /it is UTF-16/, /UTF-8/],
  ['UTF-16, big-endian without its mark', Buffer.from(ENCODED, 'utf16le').swap16(), /it is UTF-16/, /UTF-8/],
  ['encoded twice', JSON.stringify(ENCODED), /encoded twice/, /jq -r/],
  ['escaped twice', withKey(PEM.replaceAll('\n', '\\n')), /\\n as two characters/, /keys create/],
  ['line breaks as spaces', withKey(PEM.replaceAll('\n', ' ')), /line breaks .* have become spaces/, /keys create/],
  ['raw line breaks', ENCODED.replaceAll('\\n', '\n'), /has line breaks where JSON has \\n/, /keys create/],
  ['base64', Buffer.from(ENCODED).toString('base64'), /it is base64 of JSON/, /base64 -d/],
  ['a PEM key alone', PEM, /a PEM key without the JSON/, /keys create/],
  [
    'an OAuth client',
    { installed: { client_id: 'x', client_secret: 'GOCSPX-s' } },
    /an OAuth client/,
    /--client-id-file/,
  ],
  [
    'an OAuth client for the web',
    { web: { client_id: 'x', client_secret: 'GOCSPX-s' } },
    /an OAuth client/,
    /--client-id-file/,
  ],
] as const) {
  test(`a credential file that was damaged on its way is named as what it is: ${title}`, async (t) => {
    const error = await failureOf(t, read(content))
    t.like(error, { code: 'CREDENTIALS_MALFORMED', status: 403 })
    t.regex(error.message, reason)
    t.regex(error.fix, fix)
    t.notRegex(`${error.message}${error.fix}`, /GOCSPX|BEGIN|MII/)
  })
}

test('a byte order mark of UTF-8 is read over', async (t) => {
  t.like(await read(`\uFEFF${ENCODED}`), { credential: { kind: 'key' } })
})

test('a file that has gone bad is written again by who wrote it', async (t) => {
  const gcloud = directory()
  writeFileSync(join(gcloud, FILE), '{')
  t.is(
    (await failureOf(t, readAdc(locateAdc({ CLOUDSDK_CONFIG: gcloud })))).fix,
    'write it again: gcloud auth application-default login',
  )
  t.regex((await failureOf(t, read('{'))).fix, /^gcloud auth application-default login writes another file than /)
  t.regex((await failureOf(t, read({ ...KEY, private_key: 'PEM' }))).fix, /keys create FILE/)
  t.notRegex((await failureOf(t, read({ ...USER, refresh_token: 7 }))).fix, /keys create FILE/)
})

test('a pipe is read once in a process and kept', async (t) => {
  const path = join(directory(), 'pipe')
  execFileSync('mkfifo', [path])
  const first = await failureOf(t, readFrom(path))
  t.like(first, { code: 'CREDENTIALS_NOT_READ', status: 503 })
  t.regex(first.message, /a pipe that nobody has written into yet/)
  const reading = readFrom(path).catch(() => undefined)
  await writeFile(path, ENCODED)
  // A busy machine may take longer than is waited for each time; what is in the pipe is not lost by it.
  let read = await reading
  while (read === undefined) read = await readFrom(path).catch(() => undefined)
  t.like(read, { credential: { kind: 'key' } })
  t.like(await readFrom(path), { credential: { kind: 'key' } })
})

test('a process that waits for a pipe that nobody writes into can end', async (t) => {
  const path = join(directory(), 'pipe')
  execFileSync('mkfifo', [path])
  const reading = `import { readAdc } from ${JSON.stringify(import.meta.resolve('../../src/mint/adc-read.ts'))}
    await readAdc({ name: 'x', path: ${JSON.stringify(path)}, why: 'x', isGcloudFile: false }).catch(({ code }) => console.log(code))`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', reading], {
    timeout: 30_000,
  })
  t.is(stdout, 'CREDENTIALS_NOT_READ\n')
})

test('a credential has at most a million bytes', async (t) => {
  const padded = (bytes: number) => ENCODED + ' '.repeat(bytes - Buffer.byteLength(ENCODED))
  t.is((await read(padded(1_000_000))).credential.kind, 'key')
  t.regex((await failureOf(t, read(padded(1_000_001)))).message, /it is larger than 1 MB/)
})

test('what is too large to be a credential is not read to its end', async (t) => {
  const image = join(directory(), 'disk.img')
  writeFileSync(image, '')
  truncateSync(image, 3 * 1024 ** 3)
  const pipe = join(directory(), 'pipe')
  execFileSync('mkfifo', [pipe])
  const endless = execFile('sh', ['-c', `cat /dev/zero > ${pipe}`])
  t.teardown(() => endless.kill())
  for (const path of ['/dev/zero', image, pipe]) {
    const error = await failureOf(t, readFrom(path))
    t.like(error, { code: 'CREDENTIALS_MALFORMED', status: 403 })
    t.regex(error.message, /it is larger than 1 MB/)
  }
})

test('trouble of the system passes by itself, and blames nobody', async (t) => {
  const error = await failureOf(t, readFrom('/proc/self/mem'))
  t.like(error, { code: 'CREDENTIALS_NOT_READ', status: 503 })
  t.is(error.message, '/proc/self/mem could not be read just now: EIO')
})

const BROKEN: [title: string, content: unknown, reason: RegExp][] = [
  ['an empty file', '', /it is empty/],
  ['a half written file', JSON.stringify(USER).slice(0, 40), /half written/],
  ['a list', '[]', /it has no type/],
  ['a number', '7', /not a JSON object/],
  ['a word', '"word"', /not a JSON object/],
  ['null', 'null', /not a JSON object/],
  ['blanks', ' \n', /it is empty/],
  ['no type', {}, /it has no type/],
  ['an unknown type', { type: 'magic' }, /its type "magic" is unknown/],
  ['a secret as its type', { type: '1//refresh' }, /its type is unknown/],
  ['a piece of a key as its type', { type: 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC' }, /its type is unknown/],
  ['a list as its type', { ...KEY, type: ['service_account'] }, /its type is unknown/],
  ['a path as its account', { ...KEY, client_email: '../../x@y' }, /service_account lacks a usable client_email/],
  ['two lines as its account', { ...KEY, client_email: 'a\r\nX: y@b' }, /service_account lacks a usable client_email/],
  ['a login without its refresh token', { ...USER, refresh_token: '' }, /authorized_user lacks a usable refresh_token/],
  ['a key that is no key', { ...KEY, private_key: 'PEM' }, /service_account lacks a usable private_key/],
  ['two fields short', { type: 'authorized_user', client_id: 'id' }, /lacks a usable client_secret, refresh_token/],
  [
    'an impersonation of nobody',
    { type: 'impersonated_service_account', service_account_impersonation_url: 'https://x/', source_credentials: USER },
    /names no service account/,
  ],
  ...['%zz', '..%2F..%2Fx', 'a@b%2F..', 'a@b?c=/d'].map((account): (typeof BROKEN)[number] => [
    `an impersonation of ${account}`,
    {
      type: 'impersonated_service_account',
      service_account_impersonation_url: URL_OF(account),
      source_credentials: USER,
    },
    /names no service account/,
  ]),
  [
    'a path as a delegate',
    {
      type: 'impersonated_service_account',
      service_account_impersonation_url: URL_OF('a@x'),
      delegates: ['../../x'],
      source_credentials: USER,
    },
    /lacks a usable delegates/,
  ],
  ...['127.0.0.1', '-a.example', 'a-.example', `${'a'.repeat(64)}.example`, 'evil.example/', 'googleapis.com.'].map(
    (universe_domain): (typeof BROKEN)[number] => [
      `the universe ${universe_domain}`,
      { ...KEY, universe_domain },
      /universe_domain is not a domain name/,
    ],
  ),
  ['a universe of another type', { ...KEY, universe_domain: 7 }, /universe_domain is not a domain name/],
  [
    'a program without a command',
    { ...WORKLOAD, credential_source: { executable: { timeout_millis: 1 } } },
    /its external_account lacks a usable credential_source\.executable\.command$/,
  ],
  [
    'a broken source',
    {
      type: 'impersonated_service_account',
      service_account_impersonation_url: URL_OF('a@x'),
      source_credentials: { type: 'authorized_user' },
    },
    /authorized_user lacks/,
  ],
  [
    'a workload without a source',
    { type: 'external_account', audience: 'a', subject_token_type: 'b' },
    /credential_source/,
  ],
]
for (const [title, content, reason] of BROKEN) {
  test(`a credential file is refused with its reason: ${title}`, async (t) => {
    const error = await failureOf(t, read(content))
    t.like(error, { code: 'CREDENTIALS_MALFORMED', status: 403 })
    t.regex(error.message, reason)
    t.notRegex(`${error.message}${error.fix}`, /1\/\/|GOCSPX|BEGIN/)
  })
}

test('a directory in the place of the file is what Docker leaves', async (t) => {
  const error = await failureOf(t, readFrom(directory()))
  t.is(error.code, 'CREDENTIALS_MALFORMED')
  t.regex(error.message, /Docker makes one/)
})

/** Root may read everything, so for root this is another user. */
const uid = process.getuid?.() === 0 ? 65_532 : process.getuid?.()

async function asUser<T>(run: () => Promise<T>): Promise<T> {
  const before = process.geteuid?.() ?? 0
  if (uid !== undefined) process.seteuid?.(uid)
  try {
    return await run()
  } finally {
    process.seteuid?.(before)
  }
}

test.serial('a file that may not be read names uid, mode and owner, and the line for compose', async (t) => {
  chmodSync(scratch, 0o755)
  const path = join(directory(), 'adc.json')
  const owner = process.getuid?.()
  const see = async (whose: string, mode: string) => {
    const error = await asUser(() => failureOf(t, readFrom(path)))
    t.like(error, { code: 'CREDENTIALS_UNREADABLE', status: 403 })
    t.is(error.message, `${path} is there, but uid ${uid} may not read it (${whose} is uid ${owner}, mode ${mode})`)
    t.is(error.fix, `run as its owner, in compose: user: "${owner}" (do not chmod the file)`)
  }
  writeFileSync(path, JSON.stringify(USER))
  chmodSync(path, 0o201)
  chmodSync(dirname(path), 0o755)
  await see('its owner', '0201')
  chmodSync(dirname(path), 0o600)
  await see("its directory's owner", '0600')
  chmodSync(dirname(path), 0o700)
  mkdirSync(join(dirname(path), 'below'))
  chmodSync(dirname(path), 0o600)
  const error = await asUser(() => failureOf(t, readFrom(join(dirname(path), 'below', 'adc.json'))))
  t.regex(error.message, /\(EACCES\)$/, 'where neither may be looked at')
  t.regex(error.fix, /user: "\$\(id -u\)"/)
  chmodSync(dirname(path), 0o700)
})

test('a login that went to the empty directory is an error that says where to log in', async (t) => {
  const empty = directory()
  const env = (host: string) => ({ CLOUDSDK_CONFIG: empty, SIDEMINT_HOST_CLOUDSDK_CONFIG: host })
  t.is(misplacedLogin(env('')), join(empty, FILE))
  t.is(misplacedLogin({ CLOUDSDK_CONFIG: empty }), undefined)
  await t.notThrowsAsync(refuseMisplacedLogin(env('')))
  writeFileSync(join(empty, FILE), '{}')
  const plain = await failureOf(t, refuseMisplacedLogin(env('')))
  t.is(plain.code, 'LOGIN_MISPLACED')
  t.is(plain.fix, `rm ${join(empty, FILE)}; then env -u CLOUDSDK_CONFIG gcloud auth application-default login`)
  const other = await failureOf(t, refuseMisplacedLogin(env('/work')))
  t.regex(other.fix, /; then CLOUDSDK_CONFIG=\/work gcloud auth application-default login$/)
  await t.notThrowsAsync(refuseMisplacedLogin({ CLOUDSDK_CONFIG: empty }))
})

test('credentials that lie thousands deep in each other are told as that', async (t) => {
  const open = `{"type":"impersonated_service_account","service_account_impersonation_url":"${URL_OF('a@b.iam.gserviceaccount.com')}","source_credentials":`
  const nested = (hops: number) => `${open.repeat(hops)}${JSON.stringify(USER)}${'}'.repeat(hops)}`
  t.is((await read(nested(10))).credential.kind, 'impersonated')
  for (const hops of [11, 4_000]) {
    const error = await failureOf(t, read(nested(hops)))
    t.is(error.code, 'CREDENTIALS_MALFORMED')
    t.regex(error.message, /its source_credentials lie more than 10 deep in each other/)
  }
})
