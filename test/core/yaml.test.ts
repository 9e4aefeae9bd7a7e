import test from 'ava'
import { parseYaml } from '../../src/core/yaml.ts'

test('aliases that come to more values than anybody means are refused before they are written out', (t) => {
  const keys = Array.from({ length: 500 }, (_, at) => `  k${at}: 1\n`).join('')
  const nested = Array.from(
    { length: 9 },
    (_, at) => `a${at + 1}: &a${at + 1} [${'*a0,'.replace('0', String(at)).repeat(10)}]\n`,
  )
  for (const [name, text] of [
    ['a long list, often', `a: &a [${'x,'.repeat(1_500)}]\nb: [${'*a,'.repeat(350)}]`],
    ['a large map, merged often', `a: &a\n${keys}b:\n${'- <<: *a\n'.repeat(400)}`],
    ['lists of lists', `a0: &a0 [x]\n${nested.join('')}`],
    ['one that holds itself', 'a: &a [*a]'],
    ['one that nobody knows', 'a: *b'],
  ] as const) {
    t.deepEqual(parseYaml(text), { problems: ['an alias is unknown, refers to itself, or is used too often'] }, name)
  }
})

test('an anchor that each of two hundred services repeats is read', (t) => {
  const labels = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`label${at}`, 'x']))
  const text = `x: &x ${JSON.stringify(labels)}\nservices:\n${'- <<: *x\n'.repeat(200)}`
  const { data } = parseYaml(text) as { data: { services: unknown[] } }
  t.is(data.services.length, 200)
  t.deepEqual(data.services.at(-1), labels)
})

test('JSON is read as YAML reads it, long numbers too', (t) => {
  t.deepEqual(parseYaml('{"a": [1, "x", null, 1.5]}'), { data: { a: [1, 'x', null, 1.5] } })
  t.deepEqual(parseYaml('{"a": 106384710293847561029}'), { data: { a: 106384710293847561029n } })
  t.deepEqual(parseYaml('{a: 1}'), { data: { a: 1 } })
})
