import { execFileSync, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type CommandShape, readArguments } from '../../src/commands/arguments.ts'
import { settle } from '../../src/config/layers.ts'
import { defaultsOf, flagOf, type SettingName, type Settings, variableOf } from '../../src/config/settings.ts'
import { SETTINGS } from '../../src/config/table.ts'
import { SidemintError } from '../../src/core/errors.ts'
import type { Taker } from '../../src/core/schemas.ts'

const root = mkdtempSync(join(tmpdir(), 'sidemint-settings-'))
test.after.always(() => rm(root, { recursive: true, force: true }))

const shapeOf = (name: Taker): CommandShape => ({ name, usage: '', summary: '', flags: {}, takes: 'nothing' })

let made = 0
async function file(text: string): Promise<string> {
  const path = join(root, `${made++}.yaml`)
  await writeFile(path, text)
  return path
}

async function readAs(taker: Taker, argv: string[], env: NodeJS.ProcessEnv = {}): Promise<Settings> {
  return (await readArguments(shapeOf(taker), { argv, env })).settings
}

const read = (argv: string[], env: NodeJS.ProcessEnv = {}) => readAs('serve', argv, env)

/** Every problem, one an element. */
async function problems(argv: string[], env: NodeJS.ProcessEnv = {}, taker: Taker = 'serve'): Promise<string[]> {
  try {
    await readArguments(shapeOf(taker), { argv, env })
  } catch (error) {
    if (error instanceof SidemintError && error.code === 'SETTINGS_INVALID') return error.message.split('\n')
    throw error
  }
  return []
}

/** Each setting with two values, as they are typed and as they are meant. */
const SAMPLES: Record<string, [first: [string, unknown], second: [string, unknown]]> = {
  host: [
    ['0.0.0.0', '0.0.0.0'],
    ['::1', '::1'],
  ],
  port: [
    ['8080', 8080],
    ['0', 0],
  ],
  server: [
    ['http://mds:80', 'http://mds:80'],
    ['https://a.example', 'https://a.example'],
  ],
  source: [
    ['local', 'local'],
    ['metadata=10.0.0.1', 'metadata=10.0.0.1'],
  ],
  impersonateServiceAccount: [
    ['a@x.example,b@x.example', ['a@x.example', 'b@x.example']],
    ['c@x.example', ['c@x.example']],
  ],
  serviceAccount: [
    ['a@x.example', 'a@x.example'],
    ['b@x.example', 'b@x.example'],
  ],
  project: [
    ['acme-dev', 'acme-dev'],
    ['acme-test', 'acme-test'],
  ],
  projectNumber: [
    ['123', '123'],
    ['739419398126', '739419398126'],
  ],
  region: [
    ['europe-west1', 'europe-west1'],
    ['asia-east1', 'asia-east1'],
  ],
  zone: [
    ['europe-west1-b', 'europe-west1-b'],
    ['x', 'x'],
  ],
  platform: [
    ['gce', 'gce'],
    ['cloud-run', 'cloud-run'],
  ],
  allowAudience: [
    ['https://*,api', ['https://*', 'api']],
    ['b', ['b']],
  ],
  allowHost: [
    ['a.example, b.example', ['a.example', 'b.example']],
    ['c', ['c']],
  ],
  allowUserTokens: [
    ['true', true],
    ['false', false],
  ],
  issuer: [
    ['https://accounts.google.com', 'https://accounts.google.com'],
    ['http://a', 'http://a'],
  ],
  keyFile: [
    ['/keys/key.pem', '/keys/key.pem'],
    ['key.pem', 'key.pem'],
  ],
  controlSecretFile: [
    ['/run/secrets/control', '/run/secrets/control'],
    ['control', 'control'],
  ],
  cacheEntries: [
    ['1', 1],
    ['500', 500],
  ],
  upstream: [
    ['http://ledger:8080', 'http://ledger:8080'],
    ['https://a.example', 'https://a.example'],
  ],
  audience: [
    ['https://ledger.run.app,http://ledger:8080', ['https://ledger.run.app', 'http://ledger:8080']],
    ['demo', ['demo']],
  ],
  invoker: [
    ['user:ann@acme.com, domain:acme.com', ['user:ann@acme.com', 'domain:acme.com']],
    ['allUsers', ['allUsers']],
  ],
  policy: [
    ['/policies/a.json', '/policies/a.json'],
    ['/p', '/p'],
  ],
  trust: [
    ['http://metadata.google.internal', ['http://metadata.google.internal']],
    ['google', ['google']],
  ],
  group: [
    ['eng@acme.com=user:ann@acme.com', ['eng@acme.com=user:ann@acme.com']],
    ['a@x.example=domain:x.example', ['a@x.example=domain:x.example']],
  ],
  subject: [
    ['113=a@x.example', ['113=a@x.example']],
    ['114=b@x.example', ['114=b@x.example']],
  ],
  strip: [
    ['never', 'never'],
    ['serverless-only', 'serverless-only'],
  ],
  mode: [
    ['report', 'report'],
    ['enforce', 'enforce'],
  ],
  gcloudAudiences: [
    ['false', false],
    ['true', true],
  ],
  adminPort: [
    ['8082', 8082],
    ['0', 0],
  ],
  gatePort: [
    ['8090', 8090],
    ['0', 0],
  ],
  logFormat: [
    ['json', 'json'],
    ['text', 'text'],
  ],
  standIn: [
    ['a/shown', 'a/shown'],
    ['/b', '/b'],
  ],
  standInPort: [
    ['443', 443],
    ['0', 0],
  ],
  logLevel: [
    ['debug', 'debug'],
    ['silent', 'silent'],
  ],
}

test('a relative policy in the file is beside the file, and elsewhere as it is', async (t) => {
  const gate = '{ host: a, upstream: "http://a", audience: [x], policy: ../a.json }'
  const path = await file(`policy: b.json\ngates: [${gate}]\n`)
  const { policy, gates } = await readAs('gate', ['--config', path])
  t.is(policy, join(root, 'b.json'))
  t.is(gates[0]?.policy, join(root, '..', 'a.json'))
  t.is((await readAs('gate', ['--policy=b.json'])).policy, 'b.json')
})

test('there is a sample for every setting', (t) => {
  const sampled = [...Object.keys(SAMPLES), 'config', 'gates', 'identities', 'metadata'].sort()
  t.deepEqual(Object.keys(SETTINGS).sort(), sampled)
})

for (const [name, [[text, value], [otherText, otherValue]]] of Object.entries(SAMPLES) as [
  SettingName,
  (typeof SAMPLES)[string],
][]) {
  const [flag, variable] = [flagOf(name), variableOf(name)]
  test(`${name} is ${flag}, ${variable} and ${name}: alike, in that order, before its default`, async (t) => {
    const taker = SETTINGS[name].takenBy[0]
    const read = (argv: string[], env: NodeJS.ProcessEnv = {}) => readAs(taker, argv, env)
    const fallback: unknown = defaultsOf(taker)[name]
    const path = await file(`${name}: ${JSON.stringify(value)}\n`)
    t.deepEqual((await read([]))[name], fallback)
    t.deepEqual((await read(['--config', path]))[name], value)
    t.deepEqual((await read([], { SIDEMINT_CONFIG: path }))[name], value)
    t.deepEqual((await read([], { [variable]: text }))[name], value)
    t.deepEqual((await read([`${flag}=${text}`]))[name], value)
    t.deepEqual(
      (await read(['--config', path], { [variable]: otherText }))[name],
      otherValue,
      'a variable before the file',
    )
    t.deepEqual(
      (await read([`${flag}=${otherText}`], { [variable]: text }))[name],
      otherValue,
      'a flag before a variable',
    )
    t.deepEqual((await read([`--config=${path}`, `${flag}=${otherText}`]))[name], otherValue, 'a flag before the file')
    t.deepEqual((await read([], { [variable]: '' }))[name], fallback, 'an empty variable is not set')
    if (SETTINGS[name].kind !== 'boolean') t.deepEqual((await read([flag, text]))[name], value, 'with a space')
  })
}

test('a named file goes before a variable that names another', async (t) => {
  const [one, two] = [await file('project: one'), await file('project: two')]
  t.is((await read(['--config', one], { SIDEMINT_CONFIG: two })).project, 'one')
})

test('a list is a repeated flag, commas, a YAML list or a YAML string with commas', async (t) => {
  const expected = ['a', 'b', 'c']
  t.deepEqual((await read(['--allow-audience', 'a', '--allow-audience=b,c'])).allowAudience, expected)
  t.deepEqual((await read(['--allow-audience', ' a , b ,, c '])).allowAudience, expected)
  t.deepEqual((await read([], { SIDEMINT_ALLOW_AUDIENCE: 'a,b,c' })).allowAudience, expected)
  t.deepEqual((await read(['--config', await file('allowAudience: [a, b, c]')])).allowAudience, expected)
  t.deepEqual((await read(['--config', await file('allowAudience: a, b,c')])).allowAudience, expected)
})

test('a flag that is no list takes its last value', async (t) => {
  t.is((await read(['--port', '1', '--port', '2'])).port, 2)
})

test('a boolean is --x, --no-x, --x=false, and the last one counts', async (t) => {
  for (const [argv, value] of [
    [['--allow-user-tokens'], true],
    [['--no-allow-user-tokens'], false],
    [['--allow-user-tokens=true'], true],
    [['--allow-user-tokens=false'], false],
    [['--allow-user-tokens', '--no-allow-user-tokens'], false],
    [['--no-allow-user-tokens', '--allow-user-tokens'], true],
  ] as const) {
    t.is((await read([...argv])).allowUserTokens, value, argv.join(' '))
  }
  t.false((await read(['--no-allow-user-tokens'], { SIDEMINT_ALLOW_USER_TOKENS: 'true' })).allowUserTokens)
})

const WRONG: [argv: string[], problem: RegExp][] = [
  [['--prot=80'], /^--prot: unknown flag \(did you mean --port\?\)$/],
  [['--allow-audiences=x'], /^--allow-audiences: unknown flag \(did you mean --allow-audience\?\)$/],
  [['--something-else'], /^--something-else: unknown flag$/],
  [['-p'], /^-p: unknown flag$/],
  [['--prot', '80'], /^--prot: unknown flag \(did you mean --port\?\)$/],
  [['--port'], /^--port: needs a value$/],
  [['--port', '--host', 'x'], /^--port: needs a value$/],
  [['--port', 'eighty'], /^--port: must be a whole number from 0 to 65535, not "eighty"$/],
  [['--port=65536'], /^--port: must be a whole number from 0 to 65535, not "65536"$/],
  [['--port=-1'], /^--port: must be a whole number .*, not "-1"$/],
  [['--port=1.5'], /^--port: must be a whole number .*, not "1\.5"$/],
  [['--port='], /^--port: must be a whole number .*, not ""$/],
  [['--cache-entries=0'], /^--cache-entries: must be a whole number from 1/],
  [['--host='], /^--host: must not be empty/],
  [['--issuer', 'localhost:80'], /^--issuer: must be a URL with http:\/\/ or https:\/\//],
  [['--issuer', 'http://a:99999'], /^--issuer: must be a URL/],
  [['--issuer', 'ftp://a'], /^--issuer: must be a URL/],
  [['--source', 'gogle'], /^--source: must be auto, google, metadata, metadata=HOST or local, not "gogle"$/],
  [['--platform', 'gke'], /^--platform: must be gce or cloud-run, not "gke"$/],
  [['--log-level', 'trace'], /^--log-level: must be debug, info, warn, error or silent, not "trace"$/],
  [['--log-format', 'xml'], /^--log-format: must be text or json, not "xml"$/],
  [['--service-account', 'orders'], /^--service-account: must be an email, not "orders"$/],
  [
    ['--impersonate-service-account', 'a@x.example,b'],
    /^--impersonate-service-account\[1\]: must be an email, not "b"$/,
  ],
  [['--project-number', '12a'], /^--project-number: must be digits, not "12a"$/],
  [['--allow-user-tokens=yes'], /^--allow-user-tokens: must be true or false, not "yes"$/],
  [
    ['--no-allow-user-tokens=true'],
    /^--no-allow-user-tokens: only yes-or-no settings can be negated, and without a value$/,
  ],
  [['--no-port'], /^--no-port: only yes-or-no settings can be negated, and without a value$/],
  [['token'], /^token: serve takes no arguments; a command stands before its flags$/],
  [['--metadata={}'], /^--metadata: unknown flag/],
  [
    ['--service-account', 'a@x.example', '--impersonate-service-account', 'b@x.example'],
    /^--impersonate-service-account and --service-account both name the default identity/,
  ],
]
for (const [argv, problem] of WRONG) {
  test(`${argv.join(' ')} is one problem, in plain words`, async (t) => {
    const found = await problems(argv)
    t.is(found.length, 1, found.join('\n'))
    t.regex(found[0] ?? '', problem)
  })
}

const WRONG_FILES: [yaml: string, problem: RegExp][] = [
  ['prot: 80', /: prot: unknown setting \(did you mean port\?\)$/],
  ['allow-audience: x', /: allow-audience: unknown setting \(did you mean allowAudience\?\)$/],
  ['__proto__: x', /: __proto__: unknown setting$/],
  ['constructor: x', /: constructor: unknown setting$/],
  ['port: "80"', /: port: must be a whole number from 0 to 65535, not "80"$/],
  ['port: 99999999999999999999', /: port: must be a whole number from 0 to 65535/],
  ['port: [80]', /: port: must be a whole number/],
  ['port:', /: port: must be a whole number/],
  ['host: 1', /: host: must be text, not "1"$/],
  ['project: 123', /: project: must be a project id, not "123"$/],
  ['project: null', /: project: must be a project id/],
  ['serviceAccount: [a@x.example]', /: serviceAccount: must be an email$/],
  ['issuer: true', /: issuer: must be a URL with http:\/\/ or https:\/\/, not "true"$/],
  ['allowUserTokens: "true"', /: allowUserTokens: must be true or false, not "true"$/],
  ['allowAudience: 5', /: allowAudience: must be a list, not "5"$/],
  ['allowAudience: [a, 5]', /: allowAudience\[1\]: must be text, not "5"$/],
  ['allowAudience: [""]', /: allowAudience\[0\]: must not be empty/],
  ['metadata: text', /: metadata: must be an object of values, not "text"$/],
  ['metadata: { a/b: 1 }', /: metadata\.a\/b: must be a key without a slash/],
  ['- a\n- b', /: must hold settings, one key a line$/],
  ['text', /: must hold settings, one key a line$/],
  ['project: [half', /: .*line 1/],
  ['project: "half', /: .*line 1/],
  ['project: a\nproject: b', /: .*unique.*line 2|: .*line 2.*unique/],
  ['a: 1\n---\nb: 2', /: .*document/],
  ['project: *unknown', /: .*alias is unknown/],
  ['metadata: &a { b: *a }', /: .*alias .*refers to itself/],
]
for (const [yaml, problem] of WRONG_FILES) {
  test(`a file with ${JSON.stringify(yaml)} is one problem that names the file`, async (t) => {
    const path = await file(yaml)
    const found = await problems(['--config', path])
    t.is(found.length, 1, found.join('\n'))
    t.true(found[0]?.startsWith(path))
    t.regex(found[0] ?? '', problem)
    t.false(/\bat .*:\d+:\d+\)?$|Invalid type/.test(found[0] ?? ''))
  })
}

test('an empty file and one of comments set nothing', async (t) => {
  for (const yaml of ['', '# nothing\n', '---\n', 'null', '\ufeff']) {
    t.deepEqual({ ...(await read(['--config', await file(yaml)])), config: '' }, { ...(await read([])), config: '' })
  }
})

test('a pipe is read to its end, and one that nobody writes to is a problem in place of a wait', async (t) => {
  const pipe = join(root, 'pipe')
  execFileSync('mkfifo', [pipe])
  t.deepEqual(await problems(['--config', pipe]), [`${pipe}: is a pipe that nobody writes to, or that says nothing`])
  const writer = spawn('sh', ['-c', `exec > '${pipe}'; sleep 0.3; echo 'project: acme'; sleep 0.3; echo 'port: 5'`])
  const exited = once(writer, 'exit')
  const opened = openSync(pipe, constants.O_RDONLY)
  const read = readAs('serve', ['--config', pipe])
  t.like(await read, { project: 'acme', port: 5 })
  closeSync(opened)
  await exited
})

test('the settings say which file was read, also where none was named', (t) => {
  t.is(settle({ file: { path: 'sidemint.yaml', data: null } }).config, 'sidemint.yaml')
  t.is(settle({}).config, undefined)
})

test('a named file that is missing or unreadable is one problem', async (t) => {
  const missing = join(root, 'missing.yaml')
  t.deepEqual(await problems(['--config', missing]), [`${missing}: cannot be read (ENOENT)`])
  t.deepEqual(await problems([], { SIDEMINT_CONFIG: missing }), [`${missing}: cannot be read (ENOENT)`])
  t.deepEqual(await problems(['--config', root]), [`${root}: cannot be read (EISDIR)`])
})

test('a variable that is misspelt is a problem with the closest name', async (t) => {
  t.deepEqual(await problems([], { SIDEMINT_PROT: '80' }), [
    'SIDEMINT_PROT: unknown variable (did you mean SIDEMINT_PORT?)',
  ])
  t.regex((await problems([], { SIDEMINT_METADATA: '{}' }))[0] ?? '', /^SIDEMINT_METADATA: unknown variable/)
  t.deepEqual(await problems([], { SIDEMINT_HOST_CLOUDSDK_CONFIG: '/x', OTHER_PROT: '1' }), [])
  t.deepEqual(await problems([], { SIDEMINT_PORT: 'x' }), [
    'SIDEMINT_PORT: must be a whole number from 0 to 65535, not "x"',
  ])
})

test('all problems of all layers are reported at once', async (t) => {
  const path = await file('port: x\nunknown: 1\nmetadata: { instance: { a/b: 1 } }')
  const found = await problems(['--config', path, '--prot=1', '--log-level=loud', 'extra'], {
    SIDEMINT_PORT: 'y',
    SIDEMINT_HSOT: 'z',
  })
  t.is(found.length, 8, found.join('\n'))
  for (const name of ['--prot', '--log-level', 'extra', 'SIDEMINT_PORT', 'SIDEMINT_HSOT', 'port', 'unknown', 'a/b']) {
    t.true(
      found.some((problem) => problem.includes(name)),
      name,
    )
  }
})

test('metadata keeps every digit, and lists, booleans, floats and null', async (t) => {
  const path = await file(`metadata:
  instance:
    id: 5775171277418378001
    remaining-cpu-time: -1
    big: 123456789012345678901234567890
    safe: 9007199254740991
    half: 0.5
    flag: true
    tags: [a, b]
    numbers: [1, 9007199254740993]
    description: null
    disks: [{ index: 0 }, { index: 1 }]
`)
  t.deepEqual((await read(['--config', path])).metadata, {
    instance: {
      id: 5775171277418378001n,
      'remaining-cpu-time': -1,
      big: 123456789012345678901234567890n,
      safe: Number.MAX_SAFE_INTEGER,
      half: 0.5,
      flag: true,
      tags: ['a', 'b'],
      numbers: [1, 9007199254740993n],
      description: null,
      disks: [{ index: 0 }, { index: 1 }],
    },
  })
})

test('a project number may be a number in YAML, of any size', async (t) => {
  t.is((await read(['--config', await file('projectNumber: 739419398126')])).projectNumber, '739419398126')
  t.is(
    (await read(['--config', await file('projectNumber: 99999999999999999999')])).projectNumber,
    '99999999999999999999',
  )
})

test("the image's defaults lie under the file, and count only in the image, for those who serve there", (t) => {
  const inImage = { env: { SIDEMINT_IMAGE: 'true' } }
  const serving = settle(inImage, [], { taker: 'serve' })
  t.like(serving, { host: '0.0.0.0', port: 80, issuer: 'http://metadata.google.internal' })
  t.like(settle(inImage, [], { taker: 'gate' }), { host: '0.0.0.0', port: 8080 })
  t.like(settle(inImage, [], { taker: 'exec' }), { host: '127.0.0.1', port: 0, issuer: undefined })
  t.like(settle({ ...inImage, file: { path: 'a', data: { port: 90 } } }, [], { taker: 'serve' }), {
    host: '0.0.0.0',
    port: 90,
  })
  t.like(settle({}, [], { taker: 'serve' }), { host: '127.0.0.1', port: 16925 })
  for (const SIDEMINT_IMAGE of ['false', '', '1', 'TRUE'])
    t.is(settle({ env: { SIDEMINT_IMAGE } }, [], { taker: 'serve' }).port, 16925, SIDEMINT_IMAGE)
})

const PEM = String(
  generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
)
const CREDENTIAL = JSON.stringify({ type: 'service_account', private_key: PEM })
const SECRETS: [what: string, secret: string][] = [
  ['a PEM key', PEM],
  ['a PEM key on one line', PEM.replaceAll('\n', ' ')],
  ['base64 of a PEM key', Buffer.from(PEM).toString('base64')],
  ['a JSON credential', CREDENTIAL],
  ['base64 of a JSON credential', Buffer.from(CREDENTIAL).toString('base64')],
]
/** Some letters out of the middle, which no part of a message has by accident. */
const middle = (secret: string) => secret.slice(secret.length / 2, secret.length / 2 + 20).trim()

for (const [what, secret] of SECRETS) {
  test(`${what} in the place of a path is one problem that does not show it`, async (t) => {
    for (const name of ['config', 'keyFile', 'policy'] as const) {
      const taker = SETTINGS[name].takenBy.at(-1) ?? 'serve'
      for (const found of [
        await problems([], { [variableOf(name)]: secret }, taker),
        await problems([`${flagOf(name)}=${secret}`], {}, taker),
        ...(name === 'config' ? [] : [await problems(['--config', await file(JSON.stringify({ [name]: secret }))])]),
      ]) {
        t.is(found.length, 1, name)
        t.regex(
          found[0] ?? '',
          /: holds a file's content, and not its path: put the content into a file, and name that$/,
        )
        t.false(found.join().includes(middle(secret)))
      }
    }
  })

  test(`${what} in the place of anything else is not shown either`, async (t) => {
    const gates = await file(
      JSON.stringify({ gates: [{ host: 'a', upstream: secret, policy: secret, invoker: [secret] }] }),
    )
    for (const found of [
      await problems([], { SIDEMINT_PORT: secret, SIDEMINT_SOURCE: secret, SIDEMINT_SERVICE_ACCOUNT: secret }),
      await problems([secret]),
      await problems(['--key-file', secret]),
      await problems(['--platform', secret]),
      await problems(['--config', gates]),
      await problems(['--config', await file(JSON.stringify({ [secret]: 1 }))]),
    ]) {
      t.true(found.length > 0)
      t.false(found.join().includes(middle(secret)), found.join('\n'))
    }
  })
}

test('a wrong value is shown on one line, cut, with its control characters escaped and without a password', async (t) => {
  const [long = ''] = await problems([`--platform=${'x'.repeat(200)}`])
  t.is(long, `--platform: must be gce or cloud-run, not "${'x'.repeat(100)}…"`)
  t.deepEqual(await problems(['--platform=a\u001b[31m\u009b\u202e\u2028b']), [
    '--platform: must be gce or cloud-run, not "a\\u001b[31m\\u009b\\u202e\\u2028b"',
  ])
  t.deepEqual(await problems(['--issuer=ftp://ann:hunter2@a.example']), [
    '--issuer: must be a URL with http:// or https://, not "ftp://***@a.example"',
  ])
  const password = 'p'.repeat(200)
  t.false((await problems([`--issuer=ftp://ann:${password}@a.example`])).join().includes('ppp'))
  t.deepEqual(await problems(['\u001b[31m']), [
    '"\\u001b[31m": serve takes no arguments; a command stands before its flags',
  ])
})

const AS_WRITTEN: [written: string, email: string][] = [
  ['"a@x.example"', 'a@x.example'],
  ["'a@x.example'", 'a@x.example'],
  [' a@x.example ', 'a@x.example'],
  ['Ann Lee <a@x.example>', 'a@x.example'],
  ['"Ann Lee" <a@x.example>', 'a@x.example'],
  ['<a@x.example>', 'a@x.example'],
  ['serviceAccount:a@x.example', 'a@x.example'],
  ['user:a@x.example', 'a@x.example'],
  ['projects/-/serviceAccounts/a@x.example', 'a@x.example'],
  ['"projects/acme/serviceAccounts/a@x.example"', 'a@x.example'],
  ['//iam.googleapis.com/projects/acme/serviceAccounts/a@x.example', 'a@x.example'],
]
for (const [written, email] of AS_WRITTEN) {
  test(`an email written as ${written} is that email in every setting`, async (t) => {
    t.is((await read([], { SIDEMINT_SERVICE_ACCOUNT: written })).serviceAccount, email)
    t.is((await read([`--service-account=${written}`])).serviceAccount, email)
    t.deepEqual((await read([`--impersonate-service-account=${written},b@x.example`])).impersonateServiceAccount, [
      email,
      'b@x.example',
    ])
    const identities = [{ serviceAccount: written, accounts: [written], delegates: [written], callers: ['orders'] }]
    t.like((await read(['--config', await file(JSON.stringify({ identities }))])).identities[0], {
      serviceAccount: email,
      accounts: [email],
      delegates: [email],
    })
  })
}

for (const written of [
  'a@x.example b@x.example',
  'group:a@x.example',
  'projects/-/serviceAccounts/1234',
  'a@x@y',
  '<a@x.example',
]) {
  test(`${written} is not an email of a setting`, async (t) => {
    t.regex((await problems([`--service-account=${written}`])).join('\n'), /^--service-account: must be an email, not /)
  })
}

test('a project is written with quotes or as a resource, and is otherwise a project id', async (t) => {
  for (const written of ['"acme-dev"', "'acme-dev'", 'projects/acme-dev', '"projects/acme-dev"', ' acme-dev'])
    t.is((await read([`--project=${written}`])).project, 'acme-dev', written)
  t.is((await read(['--project=example.com:acme'])).project, 'example.com:acme')
  for (const written of ['two words', 'projects/acme/secrets', '<acme>', 'projects/'])
    t.regex((await problems([`--project=${written}`])).join('\n'), /^--project: must be a project id, not /, written)
})

test('quotes that an env file keeps around a value are not part of it', async (t) => {
  const quoted = { SIDEMINT_PORT: '"8080"', SIDEMINT_PLATFORM: "'gce'", SIDEMINT_ALLOW_HOST: '"a.example,b.example"' }
  t.like(await read([], quoted), { port: 8080, platform: 'gce', allowHost: ['a.example', 'b.example'] })
  const each = ['a.example', 'b.example']
  t.deepEqual((await read([], { SIDEMINT_ALLOW_HOST: '"a.example", "b.example"' })).allowHost, each)
  t.deepEqual((await read(["--allow-host='a.example','b.example'"])).allowHost, each)
  const path = await file('project: quoted')
  t.is((await read([], { SIDEMINT_CONFIG: `"${path}"` })).project, 'quoted')
})

test('identities may have as many free ports as they like, but a port of their own only once', (t) => {
  const identity = (name: string, port: number) => ({ serviceAccount: `${name}@x.example`, port })
  t.notThrows(() => settle({ options: { identities: [identity('a', 0), identity('b', 0)] } }))
  t.throws(() => settle({ options: { identities: [identity('a', 8081), identity('b', 8081)] } }), {
    message: 'identities: the port 8081 is given to two of them',
  })
})

test('of text that is not YAML the first problem is said: the others follow from it', async (t) => {
  const path = await file(
    'source: local\ngates\n  - host: billing\n    upstream: http://billing:8080\n    audience: [http://billing:8080]\n',
  )
  const found = await problems(['--config', path])
  t.is(found.length, 1, found.join('\n'))
  t.regex(found[0] ?? '', /at line 2, column 1/)
})

test('the fix for a file that is not YAML says where to look, and names no settings', async (t) => {
  const path = await file('gates:\n  - host: billing\n     upstream: http://billing:8080\n')
  const thrown = await t.throwsAsync(readArguments(shapeOf('serve'), { argv: ['--config', path], env: {} }))
  t.true(thrown instanceof SidemintError)
  t.like(thrown, { code: 'SETTINGS_INVALID' })
  t.regex(thrown.message, /^\S+: .* at line \d, column \d+$/)
  t.is((thrown as SidemintError).fix, 'correct the file: look at indentation, quotes and brackets there and just above')
})

test('a list of an identity that is not a list is said as that', async (t) => {
  const path = await file('identities: [{ serviceAccount: a@x.example, callers: orders }]')
  t.deepEqual(await problems(['--config', path]), [`${path}: identities[0].callers: must be a list, not "orders"`])
})

test('a file may repeat an anchor more than a hundred times, but may not grow without end', async (t) => {
  const keys = Array.from({ length: 101 }, (_, index) => `key-${index}`)
  const many = keys.map((key) => `    ${key}: *shared`).join('\n')
  const path = await file(`metadata:\n  shared: &shared { a: 1 }\n  more:\n${many}`)
  t.deepEqual((await read(['--config', path])).metadata.more, Object.fromEntries(keys.map((key) => [key, { a: 1 }])))
  const levels = Array.from(
    { length: 9 },
    (_, level) => `  l${level + 1}: &l${level + 1} [${Array(10).fill(`*l${level}`)}]`,
  )
  const bomb = await file(`metadata:\n  l0: &l0 [x]\n${levels.join('\n')}`)
  t.regex(
    (await problems(['--config', bomb])).join('\n'),
    /an alias is unknown, refers to itself, or is used too often$/,
  )
})

test('an option that is undefined is not set, and one that the library does not have is unknown', (t) => {
  t.is(settle({ options: { platform: undefined } }, [], { taker: 'library' }).platform, 'cloud-run')
  t.throws(() => settle({ options: { logLevel: 'debug' } }, [], { taker: 'library' }), {
    message: 'logLevel: unknown setting',
  })
  t.throws(() => settle({ options: { porrt: 1 } }, [], { taker: 'library' }), {
    message: 'porrt: unknown setting (did you mean port?)',
  })
})

test('what settings cannot be together is reported beside what is wrong with one', async (t) => {
  const both = ['--service-account=a@x.example', '--impersonate-service-account=b@x.example']
  t.deepEqual(await problems([...both, '--prot=80']), [
    '--prot: unknown flag (did you mean --port?)',
    '--impersonate-service-account and --service-account both name the default identity: give one of them',
  ])
})

test('a default entry of the file and a flag that names the default are one problem', (t) => {
  const identities = [{ serviceAccount: 'a@x.example' }]
  for (const [flag, options] of [
    ['--service-account', { serviceAccount: 'b@x.example' }],
    ['--impersonate-service-account', { impersonateServiceAccount: ['b@x.example'] }],
  ] as const) {
    t.throws(() => settle({ options: { identities, ...options } }), {
      message: `${flag} and identities: both name the default identity: give one of them`,
    })
  }
})

test('a caller may stand twice in one identity, in either case of letters, but not in two', (t) => {
  const identity = (name: string, ...callers: string[]) => ({ serviceAccount: `${name}@x.example`, callers })
  t.notThrows(() => settle({ options: { identities: [identity('a', 'orders', 'Orders')] } }))
  t.throws(() => settle({ options: { identities: [identity('a', 'orders'), identity('b', 'Orders')] } }), {
    message: 'identities: orders is in the callers of two of them',
  })
})

test.serial('sidemint.yaml in the working directory is read without being named, and may be absent', async (t) => {
  const before = process.cwd()
  const directory = await mkdtemp(join(root, 'cwd-'))
  process.chdir(directory)
  t.teardown(() => process.chdir(before))
  t.is((await read([])).project, undefined)
  await writeFile(join(directory, 'sidemint.yaml'), 'project: found')
  t.is((await read([])).project, 'found')
  await writeFile(join(directory, 'sidemint.yaml'), 'prot: 1')
  t.deepEqual(await problems([]), ['sidemint.yaml: prot: unknown setting (did you mean port?)'])
  await rm(join(directory, 'sidemint.yaml'))
  await mkdir(join(directory, 'sidemint.yaml'))
  t.deepEqual(await problems([]), ['sidemint.yaml: cannot be read (EISDIR)'])
})
