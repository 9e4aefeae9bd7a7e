import test from 'ava'
import { readDate } from '../../src/core/date.ts'

test('the times of HTTP and of Google are read, and nothing else is a time', (t) => {
  t.is(readDate('Thu, 26 Nov 2026 10:00:00 GMT'), Date.UTC(2026, 10, 26, 10))
  t.is(readDate('2026-11-26T10:00:00Z'), Date.UTC(2026, 10, 26, 10))
  for (const other of [undefined, null, '', 'soon', {}]) t.is(readDate(other), undefined, String(other))
})
