import test from 'ava'
import { describeFailure, simulate } from './run.ts'

test('every invariant of cache, identities and reload holds over 10,000 steps', async (t) => {
  t.timeout(120_000)
  const failure = await simulate(1, 10_000)
  t.is(failure && describeFailure(failure), undefined)
})
