import test from 'ava'
import { createOnce } from '../../src/core/once.ts'

test('a text comes for the first time once, also after a thousand others', (t) => {
  const isFirst = createOnce()
  t.deepEqual([isFirst('a'), isFirst('a'), isFirst('b'), isFirst('a')], [true, false, true, false])
  for (let index = 0; index < 998; index += 1) isFirst(String(index))
  t.false(isFirst('a'), 'a thousand are known')
  t.deepEqual([isFirst('one more'), isFirst('one more')], [true, false])
  t.true(isFirst('a'), 'all of before are forgotten')
})
