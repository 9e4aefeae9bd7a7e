import test from 'ava'
import { createGlob } from '../../src/core/glob.ts'

for (const [pattern, text, matches] of [
  ['a.example', 'a.example', true],
  ['a.example', 'a.example.', false],
  ['*', '', true],
  ['https://*.run.app', 'https://a-x.a.run.app', true],
  ['https://*.run.app', 'https://a.run.app.evil.example', false],
  ['https://*.run.app', 'evil https://a.run.app', false],
  ['ab*ba', 'abba', true],
  ['ab*ba', 'aba', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-c', false],
  ['a*bc*c', 'abc', false],
  ['a**', 'a', true],
  ['a.c', 'abc', false],
] as const) {
  test(`${pattern} ${matches ? 'matches' : 'does not match'} "${text}"`, (t) => {
    t.is(createGlob([pattern])(text), matches)
  })
}

test('one of several patterns is enough, and none matches nothing', (t) => {
  t.true(createGlob(['a', 'b*'])('bc'))
  t.false(createGlob([])('a'))
})

test('many asterisks take no time', (t) => {
  const startedAt = performance.now()
  t.false(createGlob([`${'*a'.repeat(100)}b`])('a'.repeat(8_000)))
  t.true(performance.now() - startedAt < 1_000)
})
