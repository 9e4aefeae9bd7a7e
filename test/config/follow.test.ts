import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type CommandShape, readArguments } from '../../src/commands/arguments.ts'
import { createFollower } from '../../src/config/follow.ts'
import type { Settings } from '../../src/config/settings.ts'
import { failure } from '../../src/core/errors.ts'
import { checkFronted } from '../../src/gate/options.ts'

const SHAPE: CommandShape = {
  name: 'serve',
  usage: '',
  summary: '',
  flags: {},
  takes: 'nothing',
  check: checkFronted,
}
const stage = (value: string) => `metadata: { instance: { attributes: { stage: ${value} } } }\n`
const stageOf = ({ metadata }: Settings) => JSON.stringify(metadata.instance)

interface Start {
  text: string
  argv?: readonly string[]
  env?: NodeJS.ProcessEnv
}

/** A settings file that is followed as `serve` does it, one look at a time. */
async function follow(t: ExecutionContext, { text, argv = [], env = {} }: Start) {
  const folder = mkdtempSync(join(tmpdir(), 'sidemint-follow-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'sidemint.yaml')
  writeFileSync(path, text)
  const applied: Settings[] = []
  const policies: string[][] = []
  const reports: string[] = []
  let refusal: Error | undefined
  const { settings, followed } = await readArguments(SHAPE, { argv: ['--config', path, ...argv], env })
  const report = (level: string, code: string, said: string) => void reports.push(`${level} ${code} ${said}`)
  const follower = createFollower({ ...followed, settings, report })
  const apply = async (next: Settings, readFile: (path: string) => Buffer) => {
    if (refusal !== undefined) throw refusal
    policies.push(next.gates.flatMap((gate) => (gate.policy === undefined ? [] : [readFile(gate.policy).toString()])))
    applied.push(next)
  }
  return {
    folder,
    path,
    settings,
    applied,
    policies,
    reports,
    follower,
    look: () => follower.look(apply),
    refuse: (error?: Error) => {
      refusal = error
    },
    write: (next: string) => writeFileSync(path, next),
  }
}

test('a file that two looks in a row saw the same is applied, once, and that is said in one line', async (t) => {
  const file = await follow(t, { text: stage('dev') })
  await file.look()
  await file.look()
  t.is(file.applied.length, 0, 'nothing has changed')
  file.write(stage('test'))
  await file.look()
  t.is(file.applied.length, 0, 'it may be half written')
  await file.look()
  await file.look()
  t.deepEqual(file.applied.map(stageOf), ['{"attributes":{"stage":"test"}}'])
  t.deepEqual(file.reports, ['info SETTINGS_APPLIED applied without a restart: metadata'])
})

test('a file that is different at every look is left alone until it stays the same', async (t) => {
  const file = await follow(t, { text: stage('dev') })
  const text = `allowAudience: [https://a.example]\n${stage('test')}`
  for (let length = text.length % 6; length <= text.length; length += 6) {
    file.write(text.slice(0, length))
    await file.look()
  }
  t.deepEqual([file.applied.length, file.reports], [0, []])
  await file.look()
  t.is(file.applied.length, 1)
  t.deepEqual(file.applied[0]?.allowAudience, ['https://a.example'])
  t.deepEqual(file.reports, ['info SETTINGS_APPLIED applied without a restart: metadata, allowAudience'])
})

const WAYS: [how: string, change: (path: string, text: string) => void][] = [
  [
    'is renamed over, as editors save',
    (path, text) => {
      writeFileSync(`${path}.new`, text)
      renameSync(`${path}.new`, path)
    },
  ],
  [
    'is removed and written again',
    (path, text) => {
      rmSync(path)
      writeFileSync(path, text)
    },
  ],
  [
    'is a link that is turned, as Kubernetes does',
    (path, text) => {
      writeFileSync(`${path}.target`, text)
      rmSync(path)
      symlinkSync(`${path}.target`, path)
    },
  ],
]
for (const [how, change] of WAYS) {
  test(`a file that ${how} is applied`, async (t) => {
    const file = await follow(t, { text: stage('dev') })
    await file.look()
    change(file.path, stage('test'))
    await file.look()
    await file.look()
    t.deepEqual(file.applied.map(stageOf), ['{"attributes":{"stage":"test"}}'])
  })
}

const BAD: [what: string, spoil: (path: string) => void, says: RegExp][] = [
  ['is no YAML', (path) => writeFileSync(path, 'metadata: {'), /sidemint\.yaml: /],
  [
    'has an unknown key',
    (path) => writeFileSync(path, 'identitys: []'),
    /unknown setting \(did you mean identities\?\)/,
  ],
  [
    'has a bad value',
    (path) => writeFileSync(path, 'identities: [{ serviceAccount: x }]'),
    /serviceAccount: must be an email/,
  ],
  [
    'is not YAML',
    (path) => writeFileSync(path, 'a:\n  b: c\n   d: e\n'),
    /at line 2, column 6; the settings before stay in force\. Fix: correct the file: look at indentation/,
  ],
  ['is empty', (path) => truncateSync(path), /sidemint\.yaml: says nothing/],
  [
    'has only a comment left',
    (path) => writeFileSync(path, '# later\n'),
    /sidemint\.yaml: says nothing \(comments alone do not count\); where that is meant, write \{\}/,
  ],
  ['is gone', (path) => rmSync(path), /sidemint\.yaml: cannot be read \(ENOENT\)/],
  [
    'is a directory',
    (path) => {
      rmSync(path)
      mkdirSync(path)
    },
    /cannot be read \(it is not a file that can be read again\)/,
  ],
  [
    'is a pipe',
    (path) => {
      rmSync(path)
      execFileSync('mkfifo', [path])
    },
    /cannot be read \(it is not a file that can be read again\)/,
  ],
  [
    'says two things that are wrong',
    (path) => writeFileSync(path, 'cacheEntries: many\nlogLevel: loud\n'),
    /cacheEntries: .*; .*logLevel: /,
  ],
]
for (const [what, spoil, says] of BAD) {
  test(`where the file ${what}, what is in force stays, which is said once, and a sound file is applied`, async (t) => {
    const file = await follow(t, { text: stage('dev') })
    await file.look()
    spoil(file.path)
    for (let looks = 0; looks < 4; looks += 1) await file.look()
    t.is(file.applied.length, 0)
    t.is(file.reports.length, 1, file.reports.join('\n'))
    t.regex(file.reports[0] ?? '', /^error SETTINGS_NOT_APPLIED .*; the settings before stay in force\. Fix: /)
    t.regex(file.reports[0] ?? '', says)
    rmSync(file.path, { recursive: true, force: true })
    file.write(stage('test'))
    await file.look()
    await file.look()
    t.deepEqual(file.applied.map(stageOf), ['{"attributes":{"stage":"test"}}'])
  })
}

test('a broken file that is mended to what is in force is not applied, and breaks again with another line', async (t) => {
  const file = await follow(t, { text: stage('dev') })
  for (const text of ['metadata: {', stage('dev'), 'metadata: {']) {
    file.write(text)
    for (let looks = 0; looks < 3; looks += 1) await file.look()
  }
  t.is(file.applied.length, 0)
  t.is(file.reports.length, 2)
})

test('a set that cannot be put in force is left until the file changes again', async (t) => {
  const file = await follow(t, { text: stage('dev') })
  file.refuse(failure('PORT_TAKEN', { address: '127.0.0.1:9', setting: '--port' }))
  file.write(stage('test'))
  for (let looks = 0; looks < 4; looks += 1) await file.look()
  t.is(file.reports.length, 1)
  t.regex(
    file.reports[0] ?? '',
    /^error SETTINGS_NOT_APPLIED 127\.0\.0\.1:9 is in use .*; the settings before stay in force\./,
  )
  file.refuse()
  file.write(stage('prod'))
  for (let looks = 0; looks < 2; looks += 1) await file.look()
  t.deepEqual(file.applied.map(stageOf), ['{"attributes":{"stage":"prod"}}'])
})

test('flags and variables still win over the file', async (t) => {
  const file = await follow(t, {
    text: 'allowAudience: [file]\n',
    argv: ['--allow-host', 'flag.example'],
    env: { SIDEMINT_ALLOW_AUDIENCE: 'variable' },
  })
  file.write(`allowAudience: [other]\nallowHost: [file.example]\n${stage('test')}`)
  for (let looks = 0; looks < 2; looks += 1) await file.look()
  t.deepEqual(file.applied[0]?.allowAudience, ['variable'])
  t.deepEqual(file.applied[0]?.allowHost, ['flag.example'])
  t.deepEqual(file.reports, ['info SETTINGS_APPLIED applied without a restart: metadata'])
})

test('another key than those that apply while running is said to need a restart, once, and changes nothing', async (t) => {
  const file = await follow(t, { text: 'region: europe-west1\nport: 1\n' })
  file.write('region: europe-west3\nport: 1\n')
  for (let looks = 0; looks < 3; looks += 1) await file.look()
  t.is(file.applied.length, 0)
  t.is(file.reports.length, 1)
  t.regex(file.reports[0] ?? '', /^warn RESTART_NEEDED .*sidemint\.yaml: region changed\. Fix: restart sidemint$/)
  file.write(`region: europe-west3\nport: 1\n${stage('test')}`)
  for (let looks = 0; looks < 2; looks += 1) await file.look()
  t.is(file.applied[0]?.region, 'europe-west1')
  t.is(file.reports.length, 2)
})

test('what the file says is not applied where it cannot be with a setting that needs a restart', async (t) => {
  const file = await follow(t, { text: 'serviceAccount: a@acme-dev.iam.gserviceaccount.com\n' })
  file.write('identities: [{ serviceAccount: b@acme-dev.iam.gserviceaccount.com }]\n')
  for (let looks = 0; looks < 2; looks += 1) await file.look()
  t.is(file.applied.length, 0)
  t.regex(file.reports[0] ?? '', /both name the default identity/)
})

const gates = (policy: string) =>
  `gates: [{ host: billing, upstream: http://127.0.0.1:1, audience: [https://b.example], policy: ${policy} }]\n`

test('a policy that changes is applied with the settings, as it was at both looks', async (t) => {
  const file = await follow(t, { text: 'metadata: {}\n' })
  const policy = join(file.folder, 'policy.yaml')
  const bindings = (who: string) => `bindings:\n- role: roles/run.invoker\n  members: [${who}]\n`
  writeFileSync(policy, bindings('allUsers'))
  file.write(gates('policy.yaml'))
  await file.look()
  await file.look()
  t.is(file.applied.length, 0, 'the policy was seen once')
  await file.look()
  t.deepEqual(file.policies, [[bindings('allUsers')]])

  const text = bindings('user:ann@acme.com')
  for (let length = text.length % 6; length <= text.length; length += 6) {
    writeFileSync(policy, text.slice(0, length))
    await file.look()
  }
  t.is(file.applied.length, 1)
  await file.look()
  t.deepEqual(file.policies.slice(1), [[text]])
  t.deepEqual(file.reports, [
    'info SETTINGS_APPLIED applied without a restart: gates',
    `info SETTINGS_APPLIED applied without a restart: policy ${policy}`,
  ])
})

test('settings and policy that change together are applied together, or not at all', async (t) => {
  const file = await follow(t, { text: 'metadata: {}\n' })
  const policy = join(file.folder, 'policy.json')
  writeFileSync(policy, '{"bindings":[]}')
  file.write(gates('policy.json'))
  for (let looks = 0; looks < 3; looks += 1) await file.look()
  t.is(file.applied.length, 1)
  file.write(`${gates('policy.json')}${stage('test')}`)
  await file.look()
  writeFileSync(policy, '{"bindings":[],"etag":"a"}')
  await file.look()
  t.is(file.applied.length, 1, 'the policy has just changed')
  await file.look()
  t.is(file.applied.length, 2)
  t.deepEqual(file.policies[1], ['{"bindings":[],"etag":"a"}'])
})
