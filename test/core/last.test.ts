import test from 'ava'
import { createLast } from '../../src/core/last.ts'

test('the last items are kept in their order, however many were added', (t) => {
  const last = createLast<number>(4)
  const added: number[] = []
  t.deepEqual(last.all(), [])
  for (let item = 1; item <= 21; item += 1) {
    last.add(item)
    added.push(item)
    t.deepEqual(last.all(), added.slice(-4))
  }
})

test('what was read does not change with what comes later', (t) => {
  const last = createLast<string>(2)
  last.add('a')
  const read = last.all()
  last.add('b')
  t.deepEqual(read, ['a'])
})
