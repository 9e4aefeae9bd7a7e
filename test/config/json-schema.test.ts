import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { settingsJsonSchema } from '../../src/config/json-schema.ts'
import { SETTINGS } from '../../src/config/table.ts'
import { judge } from './judged.ts'

const ROOT = join(import.meta.dirname, '../..')
const files = globSync('{examples,test}/**/sidemint.yaml', { cwd: ROOT, exclude: ['**/node_modules/**'] })

test('the examples are found', (t) => {
  t.true(files.length >= 4, files.join(', '))
})

for (const file of files) {
  test(`${file} is accepted by the schema and by the reader`, (t) => {
    const { why, ...said } = judge(readFileSync(join(ROOT, file), 'utf8'))
    t.deepEqual(said, { schema: true, reader: true }, why)
  })
}

for (const file of files.filter((path) => path.startsWith('examples'))) {
  test(`${file} names the schema, where it is`, (t) => {
    const [, schema = ''] =
      /^# yaml-language-server: \$schema=(\S+)$/m.exec(readFileSync(join(ROOT, file), 'utf8')) ?? []
    t.deepEqual(JSON.parse(readFileSync(join(ROOT, file, '..', schema), 'utf8')), settingsJsonSchema())
  })
}

const GOOD = [
  '',
  '# nothing is set',
  'port: 0',
  'projectNumber: 739419398126',
  'projectNumber: 99999999999999999999',
  'projectNumber: "0012"',
  'allowAudience: https://a.example, api-*',
  'allowAudience: []',
  'source: metadata=10.0.0.1:8080',
  'serviceAccount: Orders <orders@acme-dev.iam.gserviceaccount.com>',
  'impersonateServiceAccount: a@x.example, projects/-/serviceAccounts/b@x.example',
  'project: example.com:acme',
  'keyFile: /keys/key.pem',
  'metadata: { instance: { id: 5775171277418378001, attributes: { a: [1, x, true] }, tags: null, disks: [{ index: 0 }] } }',
  'trust: google, http://issuer.example',
  'invoker: serviceAccount:a@x.example, domain:acme.com',
  'invoker: ["principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*"]',
  'invoker: ["serviceAccount:acme.svc.id.goog[ns/ksa]"]',
  'group: [eng@acme.com=user:ann@acme.com]',
  'subject: [113=ann@acme.com]',
  'gates: [{ host: ledger, upstream: "http://ledger:8080", invoker: [allUsers], mode: report }]',
]
for (const yaml of GOOD) {
  test(`${JSON.stringify(yaml)} is accepted by the schema and by the reader`, (t) => {
    const { why, ...said } = judge(yaml)
    t.deepEqual(said, { schema: true, reader: true }, why)
  })
}

const BROKEN = [
  'text',
  '- project',
  'prot: 80',
  'allow-audience: [a]',
  'port: "80"',
  'port: 65536',
  'port: 1.5',
  'cacheEntries: 0',
  'host: ""',
  'project: 123',
  'project: two words',
  'projectNumber: 12a',
  'projectNumber: 1.5',
  'projectNumber: -1',
  'source: gogle',
  'platform: gke',
  'issuer: ftp://a.example',
  'allowUserTokens: "true"',
  'allowAudience: 5',
  'allowAudience: [""]',
  'serviceAccount: orders',
  'serviceAccount: a@x.example b@x.example',
  'impersonateServiceAccount: a@x.example, b',
  'impersonateServiceAccount: [b]',
  'keyFile: "-----BEGIN PRIVATE KEY-----"',
  'keyFile: |\n  a\n  b',
  'policy: "{}"',
  'metadata: text',
  'metadata: []',
  'metadata: [a]',
  'metadata: { instance: { disks: [1, { index: 0 }] } }',
  'metadata: { a/b: 1 }',
  'metadata: { instance: { a/b: 1 } }',
  'identities: orders',
  'identities: [{ callers: [orders] }]',
  'identities: [{ serviceAccount: a@x.example, callers: orders }]',
  'identities: [{ serviceAccount: a@x.example, calers: [orders] }]',
  'identities: [{ serviceAccount: a@x.example, port: 65536 }]',
  'invoker: [ann@acme.com]',
  'invoker: [user:a@x.iam.gserviceaccount.com]',
  'group: [eng=user:ann@acme.com]',
  'group: [eng@acme.com=allUsers]',
  'subject: [113]',
  'trust: [gogle]',
  'gates: [{ upstream: "http://ledger:8080" }]',
  'gates: [{ host: "ledger:80", upstream: "http://ledger:8080" }]',
  'gates: [{ host: ledger, upstream: ledger }]',
  'gates: [{ host: ledger, upstream: "http://ledger:8080", invokers: [allUsers] }]',
]
for (const yaml of BROKEN) {
  test(`${JSON.stringify(yaml)} is refused by the schema and by the reader`, (t) => {
    const { why, ...said } = judge(yaml)
    t.deepEqual(said, { schema: false, reader: false }, why)
  })
}

test('the schema has every setting, each with its help', (t) => {
  const { properties = {} } = settingsJsonSchema()
  t.deepEqual(Object.keys(properties), Object.keys(SETTINGS))
  for (const [name, { help }] of Object.entries(SETTINGS)) t.like(properties[name], { description: help })
})
