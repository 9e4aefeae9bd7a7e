import test from 'ava'
import { createEvents, type MintEvent, type NoticeEvent, type SidemintEvent } from '../../src/core/events.ts'
import { createGlob } from '../../src/core/glob.ts'
import { createReadiness } from '../../src/observe/readiness.ts'

const notice = (text: string): NoticeEvent => ({ type: 'notice', at: 0, level: 'info', code: 'X', text })
const mint = (more: Partial<MintEvent> = {}): MintEvent => ({
  type: 'mint',
  at: 0,
  kind: 'id',
  audience: 'a',
  scopes: [],
  identity: 'a@x.example',
  behind: false,
  tookMs: 1,
  ...more,
})

test('every reader gets every event from then on, in order', (t) => {
  const events = createEvents()
  const [early, late]: SidemintEvent[][] = [[], []]
  events.subscribe((event) => early?.push(event))
  events.record(notice('a'))
  events.subscribe((event) => late?.push(event))
  events.record(notice('b'))
  t.is(early?.length, 2)
  t.deepEqual(late, [notice('b')])
})

test('ready ends with a mint that fails for good, and begins again with one that succeeds', (t) => {
  const events = createEvents()
  const readiness = createReadiness(events, Date.now)
  t.is(readiness.failing(), undefined)
  events.record(mint({ code: 'PERMISSION', reason: 'no permission', transient: true }))
  t.is(readiness.failing(), undefined, 'what passes by itself is no reason')
  events.record(mint({ code: 'PERMISSION', reason: 'no permission', fix: 'grant it', transient: false }))
  t.deepEqual(readiness.failing(), { code: 'PERMISSION', fix: 'grant it' })
  events.record(mint({ code: 'NETWORK', reason: 'down', transient: true }))
  t.is(readiness.failing()?.code, 'PERMISSION')
  events.record(mint())
  t.is(readiness.failing(), undefined)
  events.record(mint({ code: 'PERMISSION', reason: 'no permission' }))
  readiness.reset()
  t.is(readiness.failing(), undefined)
})

for (const [patterns, text, matches] of [
  [['*'], '', true],
  [['*'], 'any\nthing', true],
  [['https://*.example'], 'https://a.b.example', true],
  [['https://*.example'], 'https://a.example/', false],
  [['a.c'], 'abc', false],
  [['a', 'b*'], 'bc', true],
  [['a|b'], 'a', false],
  [['(a)+[b]{1}^$\\'], '(a)+[b]{1}^$\\', true],
  [['*a*b*'], 'xaxbx', true],
  [['*a*b*'], 'xbxax', false],
  [[], '', false],
  [[''], '', true],
] as [string[], string, boolean][]) {
  test(`${JSON.stringify(text)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(patterns)}`, (t) => {
    t.is(createGlob(patterns)(text), matches)
  })
}

test('a pattern of many asterisks takes no time to speak of', (t) => {
  const startedAt = performance.now()
  t.false(createGlob([`${'*a'.repeat(20)}b`])('a'.repeat(8_192)))
  t.true(performance.now() - startedAt < 1_000)
})
