/** The rules of the tree: docs/wire.md, "Directories", docs/wire.md, "Recursion and formats" and docs/wire.md, "ETag and waiting". */

import test from 'ava'
import {
  type Directory,
  etag,
  isDirectory,
  list,
  type Node,
  overlay,
  resolve,
  toJson,
  toText,
  toTextLines,
} from '../../src/metadata/tree.ts'

const leaf = () => {
  throw new Error('not asked')
}
const TREE: Directory = {
  project: { 'project-id': 'acme-dev', attributes: { 'my-key': 'v', Zebra: '1' }, 'numeric-project-id': 2n ** 63n },
  instance: {
    tags: ['a', 'b'],
    licenses: [{ id: '1' }, { id: '2' }],
    empty: [],
    preempted: false,
    'remaining-cpu-time': -1,
    'service-accounts': { 'a-b@c.example': { token: leaf, email: 'a-b@c.example' } },
  },
}

for (const [path, expected] of [
  ['', TREE],
  ['project/project-id', 'acme-dev'],
  ['instance/licenses/1/id', '2'],
  ['instance/tags', ['a', 'b']],
  ['instance/tags/0', undefined],
  ['instance/licenses/2', undefined],
  ['instance/licenses/01', undefined],
  ['instance/licenses/length', undefined],
  ['instance/licenses/-1', undefined],
  ['project/project-id/length', undefined],
  ['nothing', undefined],
  ['nothing/below', undefined],
  ['__proto__', undefined],
  ['__proto__/toString', undefined],
  ['constructor', undefined],
  ['project/hasOwnProperty', undefined],
] as [string, Node | undefined][]) {
  test(`"${path}" ${expected === undefined ? 'is no node' : 'is found'}`, (t) => {
    t.deepEqual(resolve(TREE, path === '' ? [] : path.split('/')), expected)
  })
}

test('an own key named __proto__ is a key like others', (t) => {
  const tree = overlay({}, JSON.parse('{"__proto__":{"polluted":"yes"}}'))
  t.is(resolve(tree, ['__proto__', 'polluted']), 'yes')
  t.is(({} as Record<string, unknown>).polluted, undefined)
  t.is(toJson(tree), '{"__proto__":{"polluted":"yes"}}')
})

test('a listing has a line for each child in byte order, directories with a slash', (t) => {
  t.is(list(TREE), 'instance/\nproject/\n')
  t.is(
    list(resolve(TREE, ['instance']) as Directory),
    'empty\nlicenses/\npreempted\nremaining-cpu-time\nservice-accounts/\ntags\n',
  )
  t.is(list(resolve(TREE, ['project', 'attributes']) as Directory), 'Zebra\nmy-key\n')
  t.is(list(resolve(TREE, ['instance', 'licenses']) as Directory), '0/\n1/\n')
  t.is(list({}), '')
  t.is(
    list([...Array(11)].map(() => ({ a: 'b' }))),
    `${[...Array(11).keys()].join('/\n')}/\n`,
    'a list keeps its order',
  )
})

test('values are text as Google writes them', (t) => {
  for (const [value, text] of [
    ['a', 'a'],
    ['', ''],
    [0, '0'],
    [-1, '-1'],
    [2n ** 64n - 1n, '18446744073709551615'],
    [true, 'TRUE'],
    [false, 'FALSE'],
    [['a', 'b'], 'a\nb\n'],
    [[], ''],
  ] as const) {
    t.is(toText(value), text)
  }
})

test('JSON is compact, in camelCase but for names that users gave, without leaves and with every digit', (t) => {
  t.is(
    toJson(TREE),
    '{"instance":{"empty":[],"licenses":[{"id":"1"},{"id":"2"}],"preempted":"FALSE","remainingCpuTime":-1,' +
      '"serviceAccounts":{"a-b@c.example":{"email":"a-b@c.example"}},"tags":["a","b"]},' +
      '"project":{"attributes":{"Zebra":"1","my-key":"v"},"numericProjectId":9223372036854775808,"projectId":"acme-dev"}}',
  )
  t.is(
    toJson({ 'network-interfaces': [{ 'access-configs': [{ 'external-ip': 'x' }], 'ip-2a': 'y' }] }),
    '{"networkInterfaces":[{"accessConfigs":[{"externalIp":"x"}],"ip2a":"y"}]}',
  )
  for (const key of ['attributes', 'guest-attributes', 'partner-attributes', 'service-accounts']) {
    t.is(toJson({ 'my-key': 'v' }, key), '{"my-key":"v"}', key)
  }
  t.is(toJson('a "quoted"\n\u2028'), JSON.stringify('a "quoted"\n\u2028'))
})

test('text lines are path, space, value, and a list repeats its path', (t) => {
  t.is(
    toTextLines(TREE.instance as Directory),
    'licenses/0/id 1\nlicenses/1/id 2\npreempted FALSE\nremaining-cpu-time -1\nservice-accounts/a-b@c.example/email a-b@c.example\ntags a\ntags b\n',
  )
})

test('data laid over the tree merges directories, replaces lists and values, and null removes', (t) => {
  const base: Directory = { a: { b: '1', c: '2', d: { e: '3' } }, list: ['x'], leaf }
  const merged = overlay(base, {
    a: { b: null, c: 'two', d: { f: 4n } },
    list: ['y', 'z'],
    fresh: { g: true },
    gone: null,
  })
  t.deepEqual(merged, { a: { c: 'two', d: { e: '3', f: 4n } }, list: ['y', 'z'], leaf, fresh: { g: true } })
  t.deepEqual(overlay(base, { leaf: 'fixed' }).leaf, 'fixed')
  t.deepEqual(overlay(base, { list: { now: 'a directory' } }).list, { now: 'a directory' })
  t.deepEqual(overlay(base, { list: [{ a: '1', b: null }] }).list, [{ a: '1' }])
  t.deepEqual(base.a, { b: '1', c: '2', d: { e: '3' } }, 'the base is left alone')
})

test('the ETag is 16 hex digits that follow the data', (t) => {
  const first = etag(TREE, false)
  t.regex(first, /^[0-9a-f]{16}$/)
  t.is(etag(overlay(TREE, {}), false), first)
  t.not(etag(TREE, true), first)
  t.not(etag(overlay(TREE, { project: { 'project-id': 'other' } }), false), first)
})

test('a list of objects is a directory, a list of values and an empty list are values', (t) => {
  t.true(isDirectory([{ a: 'b' }]))
  t.true(isDirectory({}))
  for (const value of [['a'], [], 'a', 1, 1n, true, leaf]) t.false(isDirectory(value as Node))
})
