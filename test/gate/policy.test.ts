import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { asFailure } from '../../src/core/errors.ts'
import { takeSnapshot } from '../../src/core/snapshot.ts'
import { createPolicy } from '../../src/gate/policy.ts'
import { readPolicyFile } from '../../src/gate/policy-file.ts'

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'

const readNow = (path: string, setting: string) => readPolicyFile(path, setting, takeSnapshot().read)

/** A policy file as gcloud prints it, and a policy that reads it (docs/gate.md, "Who may invoke"). */
function setUp(t: ExecutionContext) {
  const folder = mkdtempSync(join(tmpdir(), 'sidemint-policy-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'policy.json')
  const notices: string[] = []
  return {
    file,
    notices,
    write: (bindings: unknown) => writeFileSync(file, JSON.stringify({ bindings, etag: 'BwY', version: 1 })),
    create: (invokers: string[] = []) =>
      createPolicy({
        invokers,
        file: { path: file, read: readNow },
        spell: (name) => `--${name}`,
        notice: (_, code, text) => void notices.push(`${code} ${text}`),
      }),
  }
}

test('every predefined role that holds run.routes.invoke admits, and no other', (t) => {
  const { write, create } = setUp(t)
  const functions = ['cloudfunctions.developer', 'cloudfunctions.admin']
  const run = ['run.invoker', 'run.servicesInvoker', 'run.admin', 'run.developer', 'run.sourceDeveloper']
  for (const role of [...run, ...functions, 'owner', 'editor']) {
    write([{ role: `roles/${role}`, members: [`serviceAccount:${ORDERS}`] }])
    t.deepEqual(create().emails, new Set([ORDERS]), role)
  }
  for (const role of ['run.viewer', 'run.builder', 'run.jobsExecutor', 'viewer', 'iam.serviceAccountUser']) {
    write([{ role: `roles/${role}`, members: [`serviceAccount:${ORDERS}`] }])
    t.is(create().emails.size, 0, role)
  }
})

test('members of the settings and of the file are admitted alike', (t) => {
  const { write, create } = setUp(t)
  write([{ role: 'roles/run.invoker', members: ['user:ann@acme.com'] }])
  t.deepEqual(create([`serviceAccount:${ORDERS}`]).emails, new Set([ORDERS, 'ann@acme.com']))
})

test('a policy without bindings admits nobody', (t) => {
  const { file, create } = setUp(t)
  for (const text of ['{"etag":"ACAB"}', '{"version":1}', 'bindings: []', '{"bindings":[]}'.padEnd(1_000_000)]) {
    writeFileSync(file, text)
    t.is(create().emails.size, 0)
  }
})

test('a file that is something else is refused as what it is', (t) => {
  const { file, create } = setUp(t)
  const rows: [text: string, said: string][] = [
    ['terraform_version: 1', 'it is a plan or state of Terraform, not the policy of a service'],
    ['planned_values: {}', 'it is a plan or state of Terraform, not the policy of a service'],
    ['format_version: 1', 'it is a plan or state of Terraform, not the policy of a service'],
    ['kind: Service', 'it describes a service and holds no policy'],
    ['template: {}', 'it describes a service and holds no policy'],
    [
      '{a: null, b: c, d: {}, e: {bindings: []}}',
      'it holds its policy under `e`, and the file has to be the policy itself',
    ],
    ['{a: 1, b: 2, c: 3, d: 4, e: 5, f: 6}', 'it has neither bindings nor etag nor version, but a, b, c, d, e'],
    ['{}', 'it has neither bindings nor etag nor version, but nothing'],
  ]
  for (const [text, said] of rows) {
    writeFileSync(file, text)
    t.is(asFailure(t.throws(create)).message, `the policy ${file} cannot be used: ${said}`)
  }
})

test('what cannot be honoured is refused at start', (t) => {
  const { file, write, create } = setUp(t)
  const code = () => asFailure(t.throws(create)).code
  const message = () => asFailure(t.throws(create)).message
  t.regex(message(), /cannot be used: it cannot be read \(ENOENT\)$/)
  writeFileSync(file, '{"bindings":[')
  t.regex(message(), /neither JSON nor YAML: .*[^:]$/)
  writeFileSync(file, '[]')
  t.regex(message(), /is not an object/)
  writeFileSync(file, '')
  t.regex(message(), /is not an object/)
  write('none')
  t.regex(message(), /`bindings` is not a list/)
  write([{ members: [] }])
  t.regex(message(), /has no role/)
  write([{ role: 'roles/run.invoker', members: [1] }])
  t.regex(message(), /no list of members/)
  write([{ role: 'roles/run.invoker', members: ['allUsers'], condition: { expression: 'request.time < x' } }])
  t.regex(message(), /has an IAM condition/)
  t.is(code(), 'POLICY_UNUSABLE')
})

test('a member that cannot be used is told with its file, its binding and what may stand there', (t) => {
  const { file, write, create } = setUp(t)
  write([{ role: 'roles/run.invoker', members: ['user:bob@acme.com', 'ann@acme.com'] }])
  const { message, fix } = asFailure(t.throws(create))
  t.is(
    message,
    `the policy ${file} cannot be used: in its binding of roles/run.invoker, the member ann@acme.com cannot be used: it has no kind before it (did you mean user:ann@acme.com?)`,
  )
  t.regex(fix, /^write user:.* there/)
})

test('what an IAM condition admits may be said without it: the same file would be written again', (t) => {
  const { write, create } = setUp(t)
  write([{ role: 'roles/run.invoker', members: ['user:ann@acme.com'], condition: { expression: 'request.time < x' } }])
  t.is(asFailure(t.throws(create)).fix, 'take that binding out of the file, and name whom it should admit in --invoker')
})

test('a condition on a role that does not admit does not matter', (t) => {
  const { write, create } = setUp(t)
  write([{ role: 'roles/run.viewer', members: ['user:ann@acme.com'], condition: { expression: 'x' } }])
  t.notThrows(create)
})

test('a custom role and an undescribed group admit nobody, and the log says so', (t) => {
  const { write, create, notices } = setUp(t)
  write([
    { role: 'projects/acme-dev/roles/caller', members: ['user:ann@acme.com'] },
    { role: 'roles/run.invoker', members: ['group:eng@acme.com'] },
  ])
  t.is(create().emails.size, 0)
  t.is(notices.length, 2)
  const fix = 'Fix: give its members roles/run.invoker, or name them in --invoker'
  t.true(notices.some((text) => text.includes('projects/acme-dev/roles/caller') && text.endsWith(fix)))
  t.true(notices.some((text) => text.includes('eng@acme.com=MEMBER in --group')))
})

const BILLING = new Set(['billing@acme-dev.iam.gserviceaccount.com'])
const FILES: [file: string, notices: RegExp[]][] = [
  ['bom.json', []],
  ['gcloud.yaml', []],
  ['deleted.json', []],
  [
    'deployer.json',
    [/^MEMBER_IGNORED nobody is admitted as principalSet:.*, serviceAccount:acme-dev\.svc\.id\.goog\[/],
  ],
  [
    'first-generation.json',
    [/^ROLE_UNKNOWN roles\/cloudfunctions\.invoker .* Fix: give its members roles\/run\.invoker/],
  ],
]
for (const [name, expected] of FILES) {
  test(`${name} admits the one whom it names`, (t) => {
    const notices: string[] = []
    const policy = createPolicy({
      invokers: [],
      file: { path: join(import.meta.dirname, 'policies', name), read: readNow },
      spell: (setting) => `--${setting}`,
      notice: (_, code, text) => void notices.push(`${code} ${text}`),
    })
    t.deepEqual(policy.emails, BILLING)
    t.is(notices.length, expected.length, notices.join('\n'))
    for (const [index, notice] of expected.entries()) t.regex(notices[index] ?? '', notice)
  })
}

test('a policy that PowerShell wrote in UTF-16 is read', (t) => {
  const { file, create } = setUp(t)
  const text = readFileSync(join(import.meta.dirname, 'policies', 'gcloud.yaml'), 'utf8')
  const little = Buffer.from(`\ufeff${text}`, 'utf16le')
  for (const bytes of [little, Buffer.from(little).swap16()]) {
    writeFileSync(file, bytes)
    t.deepEqual(create().emails, BILLING)
  }
})

const NOT_POLICIES: [file: string, reason: RegExp][] = [
  ['condition.json', /has an IAM condition/],
  ['hidden-condition.json', /roles\/run\.invoker_withcond_0123456789abcdef has an IAM condition/],
  ['wrapped.json', /holds its policy under `policy`/],
  ['terraform-plan.json', /a plan or state of Terraform/],
  ['service.yaml', /describes a service/],
]
for (const [name, reason] of NOT_POLICIES) {
  test(`${name} is refused as what it is`, (t) => {
    const error = t.throws(() => readNow(join(import.meta.dirname, 'policies', name), '--invoker'))
    t.is(asFailure(error).code, 'POLICY_UNUSABLE')
    t.regex(asFailure(error).message, reason)
  })
}

test('a policy that is a pipe, a folder or larger than any is refused and not read', (t) => {
  const { file } = setUp(t)
  execFileSync('mkfifo', [file])
  const refusal = (path: string) => asFailure(t.throws(() => readNow(path, '--invoker'))).message
  t.regex(refusal(file), /it is not a file that can be read again/)
  t.regex(refusal(import.meta.dirname), /it is not a file that can be read again/)
  rmSync(file)
  writeFileSync(file, `{"bindings":[]}${' '.repeat(1_000_000)}`)
  t.regex(refusal(file), /it has 1000015 bytes, more than a policy can have/)
})

test('what admits nobody is said once, each with what to type', (t) => {
  const notices: string[] = []
  const notice = (level: string, code: string, text: string) => void notices.push(`${level} ${code} ${text}`)
  const pool = 'principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/s'
  const policy = (...invokers: string[]) => createPolicy({ invokers, spell: (name) => `--${name}`, notice })
  policy('user:ann@acme.com')
  t.deepEqual(notices, [])
  policy('group:eng@acme.com', pool)
  t.deepEqual(notices, [
    'warn GROUP_UNKNOWN nobody is in group:eng@acme.com. Fix: say who with eng@acme.com=MEMBER in --group',
    `warn MEMBER_IGNORED nobody is admitted as ${pool}: no ID token of Google's can speak for that`,
  ])
  policy(`${pool}1`, `${pool}2`)
  t.regex(notices[2] ?? '', /admitted as \S+1, \S+2: no ID token/)
})
