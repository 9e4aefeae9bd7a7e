import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import type { Settings } from '../../src/config/settings.ts'
import { checkFronted, checkGates, frontedGates, type GateOptions, gatesOf, hasGate } from '../../src/gate/options.ts'
import { lineOf, policiesBeside, spellingOf } from '../../src/gate/origin.ts'

const ONE = { upstream: 'http://ledger-app:8080', audience: ['x'], invoker: ['allAuthenticatedUsers'] }
const LEDGER = { host: 'ledger', ...ONE }

const settled = (options: Record<string, unknown>): Settings =>
  settle({ options: { port: 8080, ...options } }, [], { check: checkGates })

function problems(options: Record<string, unknown>): string[] {
  try {
    settled(options)
    return []
  } catch (error) {
    return (error as Error).message.split('\n')
  }
}

const PLACES: [title: string, entry: object, group: string, trust: string][] = [
  [
    'its own',
    { group: [], trust: ['google'] },
    '`group:` of ledger under `gates:`',
    '`trust:` of ledger under `gates:`',
  ],
  ['shared', {}, '`group:` beside `gates:`', '`trust:` beside `gates:`'],
  ['of both kinds', { trust: ['google'] }, '`group:` beside `gates:`', '`trust:` of ledger under `gates:`'],
]
for (const [title, entry, group, trust] of PLACES) {
  test(`a setting of a gate that is ${title} is named where it stands`, (t) => {
    const [gate] = gatesOf(settled({ gates: [{ ...LEDGER, ...entry }] }))
    const spell = spellingOf(gate as GateOptions)
    t.is(spell('group'), group)
    t.is(spell('trust'), trust)
    t.is(spell('invoker'), '`invoker:` of ledger under `gates:`')
  })
}

const WRONG: [title: string, options: Record<string, unknown>, problem: RegExp][] = [
  ['nothing to front', {}, /^--upstream: name the service/],
  ['no invoker', { ...ONE, invoker: [] }, /^nobody could call: .*--invoker or --policy/],
  ['no audience', { ...ONE, audience: [] }, /^no token would do: .*--audience/],
  [
    'a gate without an invoker',
    { gates: [LEDGER, { ...LEDGER, host: 'b', invoker: [] }] },
    /^gates\[1\]: nobody .*`invoker:` or `policy:`/,
  ],
  ['a gate without a host', { gates: [ONE] }, /^gates\[0\]\.host: is missing$/],
  ['a host with a port', { gates: [{ ...LEDGER, host: 'ledger:80' }] }, /must be a name without scheme and port/],
  [
    'an unknown key',
    { gates: [{ ...LEDGER, invokers: [] }] },
    /^gates\[0\]\.invokers: unknown key \(did you mean invoker\?\)$/,
  ],
  ['a gate that is text', { gates: ['ledger'] }, /^gates\[0\]: must be an object of values, not "ledger"$/],
  ['both ways at once', { ...ONE, gates: [LEDGER] }, /^--upstream, .* are for one gate/],
  [
    'both ways at once, and half of one',
    { upstream: ONE.upstream, gates: [LEDGER] },
    /^--upstream, .* are for one gate/,
  ],
  ['one rule for all', { policy: 'p.json', gates: [LEDGER] }, /^--upstream, .* are for one gate/],
  ['a host twice', { gates: [LEDGER, { ...LEDGER, host: 'Ledger.' }] }, /^gates: two of them are ledger on port 8080$/],
  ['a host twice, by its port', { gates: [LEDGER, { ...LEDGER, port: 8080 }] }, /^gates: two of them are ledger on/],
  [
    'a bad member of a gate',
    { gates: [{ ...LEDGER, invoker: ['bob'] }] },
    /^gates\[0\]\.invoker\[0\]: the member bob cannot/,
  ],
  [
    'a group of all',
    { ...ONE, group: ['a@b=allUsers'] },
    /^group\[0\]: the member allUsers cannot be used: it cannot be in/,
  ],
  [
    'a policy itself and not its path',
    { gates: [{ ...LEDGER, policy: '{"bindings":[]}' }] },
    /^gates\[0\]\.policy: holds a file's content, and not its path/,
  ],
  ['a group with an empty member', { ...ONE, group: ['a@b='] }, /^group\[0\]: must be GROUP=MEMBER/],
  ['a group without members', { ...ONE, group: ['a@b'] }, /^group\[0\]: must be GROUP=MEMBER/],
  ['a subject without email', { ...ONE, subject: ['113'] }, /^subject\[0\]: must be SUB=EMAIL/],
  ['a subject in quotes', { ...ONE, subject: ['"113"=ann@acme.com'] }, /^subject\[0\]: must be SUB=EMAIL/],
  ['a trusted name', { ...ONE, trust: ['gogle'] }, /^trust\[0\]: must be google or the URL of an issuer, not "gogle"$/],
]
for (const [title, options, problem] of WRONG) {
  test(`${title} is one problem`, (t) => {
    const found = problems(options)
    t.is(found.length, 1, found.join('\n'))
    t.regex(found[0] ?? '', problem)
  })
}

test('each entry is checked, and each pair of entries that nothing tells apart is named once', (t) => {
  const gates = [LEDGER, LEDGER, LEDGER, { ...LEDGER, host: 'a', audience: [], invoker: [] }, { ...LEDGER, port: 81 }]
  t.deepEqual(problems({ gates }), [
    'gates[3]: nobody could call: name who may with `invoker:` or `policy:` (allUsers for a public service)',
    'gates[3]: no token would do: name what tokens are for with `audience:`',
    'gates: two of them are ledger on port 8080',
  ])
  t.regex(problems({ audience: ['x'], gates: [LEDGER] })[0] ?? '', /are for one gate/)
  t.regex(problems({ invoker: ['allUsers'], gates: [LEDGER] })[0] ?? '', /are for one gate/)
})

test('gates that a server fronts have no port of its own, and trust its issuer too, once', (t) => {
  const fronted = (options: Record<string, unknown>) => ({
    ...settle({ options: { port: 16925, gatePort: 8080, ...options } }),
    identities: [{ port: 16926 }, {}],
  })
  const clash = (port: number) =>
    `gates: the port ${port} is already the server's or an identity's: choose another, or run \`sidemint gate\` elsewhere`
  t.deepEqual(checkFronted(fronted({ gates: [] })), [])
  t.deepEqual(checkFronted(fronted({ gates: [LEDGER, { ...LEDGER, port: 8080 }] })), [
    'gates: two of them are ledger on port 8080',
  ])
  const ports = [16_925, 16_926, 9090].map((port) => ({ ...LEDGER, port }))
  t.deepEqual(checkFronted(fronted({ gates: ports })), [clash(16_925), clash(16_926)])
  t.deepEqual(checkFronted({ ...fronted({ gates: [LEDGER], gatePort: 0 }), port: 0 }), [])
  const trust = ['google', 'http://a']
  const trustOf = (issuer?: string) => frontedGates(fronted({ gates: [{ ...LEDGER, trust }] }), issuer)[0]?.trust
  t.deepEqual(trustOf(), trust)
  t.deepEqual(trustOf('http://a'), trust)
  t.deepEqual(trustOf('http://b'), [...trust, 'http://b'])
  t.deepEqual(frontedGates(fronted({ gates: [], ...ONE }), 'http://b'), [])
})

test('a gate takes requests for its host, and one without a host takes all', (t) => {
  const [ledger] = gatesOf(settled({ gates: [LEDGER] }))
  const [any] = gatesOf(settled(ONE))
  if (ledger === undefined || any === undefined) return t.fail()
  t.true(hasGate([ledger], 'ledger'))
  t.false(hasGate([ledger], 'a'))
  t.true(hasGate([ledger, any], 'a'))
  t.false(hasGate([], 'a'))
})

test('where a setting of a gate is written is said, for what it is called and for its whole line', (t) => {
  const places = ({ host, shared }: Pick<GateOptions, 'host' | 'shared'>) => {
    const gate = { ...(host === undefined ? {} : { host }), ...(shared === undefined ? {} : { shared }) }
    return (['trust', 'invoker'] as const).flatMap((name) => [spellingOf(gate)(name), lineOf(gate)(name)])
  }
  t.deepEqual(places({}), ['--trust', 'on the command line', '--invoker', 'on the command line'])
  t.deepEqual(places({ host: 'a', shared: ['trust'] }), [
    '`trust:` beside `gates:`',
    'beside `gates:`',
    '`invoker:` of a under `gates:`',
    'in the entry of a under `gates:`',
  ])
})

test('a relative path of a policy counts from the folder of the file', (t) => {
  const said = { policy: 'a.json', gates: [{ policy: '../b.json' }, { policy: '/c.json' }, {}] }
  t.deepEqual(policiesBeside('/etc/sidemint', said), {
    policy: '/etc/sidemint/a.json',
    gates: [{ policy: '/etc/b.json' }, { policy: '/c.json' }, {}],
  })
  t.deepEqual(policiesBeside('/etc', {}), {})
})

test('a policy says who may call, without an invoker', (t) => {
  t.deepEqual(problems({ ...ONE, invoker: [], policy: 'policy.json' }), [])
  t.deepEqual(problems({ gates: [{ ...LEDGER, invoker: [], policy: 'policy.json' }] }), [])
})

test('a public service needs no audience', (t) => {
  t.deepEqual(problems({ ...ONE, audience: [], invoker: ['allUsers'] }), [])
})

test('one gate answers for any host', (t) => {
  const group = ['Eng@acme.com=user:ann@acme.com', 'eng@acme.com=user:bob@acme.com']
  t.deepEqual(gatesOf(settled({ ...ONE, policy: 'p.json', group, subject: ['113=a@x.example'], port: 0 })), [
    {
      upstream: ONE.upstream,
      audiences: ['x'],
      invokers: ['allAuthenticatedUsers'],
      policy: 'p.json',
      groups: { 'eng@acme.com': ['user:ann@acme.com', 'user:bob@acme.com'] },
      subjects: { '113': 'a@x.example' },
      strip: 'both',
      mode: 'enforce',
      trust: ['google', 'http://metadata.google.internal'],
      gcloudAudiences: true,
    },
  ])
})

test('an entry says for itself, and what it does not say is said for all', (t) => {
  const [first, second] = gatesOf(
    settled({
      gates: [
        { ...LEDGER, mode: 'enforce', trust: ['google'], port: 8080 },
        { ...LEDGER, port: 9090 },
      ],
      mode: 'report',
      trust: ['http://issuer'],
      gcloudAudiences: false,
    }),
  )
  t.like(first, { mode: 'enforce', trust: ['google'], gcloudAudiences: false, port: undefined })
  t.like(second, { mode: 'report', trust: ['http://issuer'], port: 9090 })
})
