import test from 'ava'
import { load, MOST_AT_ONCE } from './load.ts'

test('what is not begun because too much is under way is counted as left out', async (t) => {
  const gone = Promise.withResolvers<void>()
  let begun = 0
  const act = () => {
    begun += 1
    return gone.promise
  }
  setTimeout(gone.resolve, 600)
  const loaded = await load({ ms: 500, perSecond: 10_000, act, events: [] })
  t.is(begun, MOST_AT_ONCE)
  t.is(loaded.begun, MOST_AT_ONCE)
  t.true(loaded.leftOut > 50, `${loaded.leftOut} left out`)
})

test('nothing is left out where things end at once', async (t) => {
  let begun = 0
  const act = async () => {
    begun += 1
  }
  t.deepEqual(await load({ ms: 200, perSecond: 100, act, events: [] }), { begun, leftOut: 0 })
  t.true(begun > 0, `${begun} begun`)
})
