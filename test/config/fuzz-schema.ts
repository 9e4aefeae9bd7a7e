/**
 * Settings files by a seed, sound values and odd ones mixed: the JSON Schema and the reader accept the same ones. The
 * schema has no rules about several settings together, and cannot read a function: what only such a rule refuses is
 * named here, and nothing else may be refused by the reader alone. The schema alone refuses nothing.
 */

import type { ExecutionContext } from 'ava'
import { stringify } from 'yaml'
import type { SettingName } from '../../src/config/settings.ts'
import { SETTINGS } from '../../src/config/table.ts'
import { createRandom } from '../random.ts'
import { judge } from './judged.ts'

/** What the reader says of a file that the schema cannot refuse. */
const BEYOND_THE_SCHEMA = [
  /both name the default identity/,
  /have no callers, hosts or port, so each is the default/,
  /is in the (callers|hosts) of two of them/,
  /the port \d+ is given to two of them/,
  /has two chains of delegates/,
  /with --stand-in the issuer is Google's/,
  // `https://[` has the form of a URL, and is none.
  /must be a URL with http:\/\/ or https:\/\//,
  /must be google or the URL of an issuer/,
  // A number that JavaScript writes with an exponent.
  /must be digits, not "1e\+21"/,
  // Base64 of a key has the form of a path.
  /holds a file's content, and not its path/,
]

const ODD = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  65535,
  65536,
  1e21,
  '',
  ' ',
  '0',
  'true',
  'a,b',
  'a, ,b',
  ',',
  [],
  {},
  [''],
  [null],
  [[]],
  [{}],
  { a: { b: [1, 'x', null] } },
  { 'a/b': 1 },
  '\u0000',
  'x'.repeat(300),
  'é@ü.example',
]
const EMAILS = [
  'a@x.example',
  'A@X.example',
  'user:ann@acme.com',
  'serviceAccount:a@x.example',
  'Ann <ann@acme.com>',
  '"a@x.example"',
  'projects/-/serviceAccounts/a@x.example',
  'a@x.example, b@x.example',
  'a@@x',
  '@x.example',
  'a b@x.example',
  'no email',
  'allUsers:a@x.example',
]
const URLS = [
  'http://a.example',
  'https://a.example:8080/b?c',
  'http://[::1]:80',
  'http://[',
  'https://',
  'ftp://a',
  'a.example',
  'http://a b',
]
const MEMBERS = [
  'allUsers',
  'allAuthenticatedUsers',
  'user:ann@acme.com',
  'user:a@x.iam.gserviceaccount.com',
  'serviceAccount:a@x.iam.gserviceaccount.com',
  'serviceAccount:acme.svc.id.goog[ns/ksa]',
  'group:eng@acme.com',
  'domain:acme.com',
  'domain:acme',
  'deleted:user:ann@acme.com?uid=1',
  'principal://iam.googleapis.com/x',
  'principalSet://iam.googleapis.com/x/*',
  'principal:x',
  'ann@acme.com',
  'user:',
  'USER:ann@acme.com',
  'robot:x@y.example',
  'allusers',
]
const TEXTS: readonly unknown[] = [
  ...['auto', 'google', 'local', 'metadata', 'metadata=10.0.0.1:80', 'metadata=', 'gce', 'cloud-run', 'text', 'json'],
  ...['info', 'silent', 'both', 'never', 'enforce', 'report', 'acme-dev', 'example.com:acme', 'projects/acme', 'a b'],
  ...['739419398126', '12a', '0012', 'us-central1', '/keys/key.pem', 'a\nb', '-----BEGIN PRIVATE KEY-----', '{"a":1}'],
  ...['eng@acme.com=user:ann@acme.com', 'eng@acme.com=allUsers', 'eng=user:ann@acme.com', 'a=b', '113=ann@acme.com'],
  ...['ledger', 'ledger:80', 'api-*', '10.0.0.0/8', 'jobs.metadata.internal', 'orders'],
]

/** Judges `cases` files. */
export function fuzzSchema(t: ExecutionContext, seed: number, cases: number): void {
  const random = createRandom(seed)
  const one = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T
  const POOLS = [TEXTS, EMAILS, URLS, MEMBERS, ODD]
  const plain = (): unknown => one(one(POOLS))
  const some = <T>(make: () => T) => Array.from({ length: Math.floor(random() * 3) }, make)
  const list = (of: readonly unknown[]) => (random() < 0.9 ? some(() => (random() < 0.9 ? one(of) : plain())) : plain())
  const perhaps = (key: string, value: () => unknown) => (random() < 0.4 ? { [key]: value() } : {})
  const port = () => (random() < 0.8 ? 1 + Math.floor(random() * 3) : plain())

  const identity = () => ({
    ...(random() < 0.95 ? { serviceAccount: random() < 0.9 ? one(EMAILS) : plain() } : {}),
    ...perhaps('callers', () => list(TEXTS)),
    ...perhaps('hosts', () => list(TEXTS)),
    ...perhaps('port', port),
    ...perhaps('accounts', () => list(EMAILS)),
    ...perhaps('delegates', () => list(EMAILS)),
    ...(random() < 0.03 ? { unknown: 1 } : {}),
  })
  const gate = () => ({
    ...(random() < 0.95 ? { host: random() < 0.9 ? one(['ledger', 'billing', 'a.example']) : plain() } : {}),
    ...(random() < 0.95 ? { upstream: random() < 0.9 ? one(URLS) : plain() } : {}),
    ...perhaps('port', port),
    ...perhaps('audience', () => list(URLS)),
    ...perhaps('invoker', () => list(MEMBERS)),
    ...perhaps('mode', () => one(['enforce', 'report', 'off'])),
    ...perhaps('trust', () => list(['google', ...URLS])),
    ...perhaps('group', () => list(TEXTS)),
    ...(random() < 0.03 ? { invokers: ['allUsers'] } : {}),
  })
  const tree = (): unknown =>
    random() < 0.3 ? plain() : Object.fromEntries(some(() => [one(['a', 'b', 'attributes']), tree()]))
  const POOLS_OF = new Map<string, () => unknown>(
    Object.entries({
      identities: () => some(identity),
      gates: () => some(gate),
      metadata: tree,
      invoker: () => list(MEMBERS),
      impersonateServiceAccount: () => list(EMAILS),
      serviceAccount: () => one(EMAILS),
      issuer: () => one(URLS),
      upstream: () => one(URLS),
      trust: () => list(['google', ...URLS]),
    }),
  )
  const NAMES = Object.keys(SETTINGS) as SettingName[]

  function setting(): [string, unknown] {
    const name = random() < 0.98 ? one(NAMES) : one(['prot', '__proto__', 'constructor', 'allow-host'])
    const make = POOLS_OF.get(name)
    return [name, make !== undefined && random() < 0.9 ? make() : plain()]
  }

  const said = { both: 0, neither: 0 }
  for (let done = 0; done < cases; done += 1) {
    const data = Object.fromEntries(Array.from({ length: 1 + Math.floor(random() * 3) }, setting))
    const yaml = random() < 0.5 ? stringify(data) : JSON.stringify(data)
    const { schema, reader, why } = judge(yaml)
    const where = `seed ${seed}, file ${done}: ${yaml}\n${why}`
    if (reader) t.true(schema, `only the schema refuses it. ${where}`)
    else if (schema) {
      const beyond = why.split('\n').filter((line) => !BEYOND_THE_SCHEMA.some((rule) => rule.test(line)))
      t.deepEqual(beyond, [], `only the reader refuses it. ${where}`)
    }
    if (reader) said.both += 1
    else if (!schema) said.neither += 1
  }
  t.true(said.both > cases / 20 && said.neither > cases / 20, JSON.stringify(said))
}
