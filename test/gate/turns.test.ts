import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { createTurns } from '../../src/gate/turns.ts'

test('of a burst of calls a few are begun in each turn of the event loop, in their order', async (t) => {
  const inTurn = createTurns()
  const begun: number[] = []
  const burst = (from: number, count: number) => {
    for (let call = from; call < from + count; call += 1) inTurn(() => begun.push(call))
  }
  burst(0, 20)
  const first = begun.length
  t.is(first, 8)
  await setImmediate()
  burst(20, 5)
  const second = begun.length
  t.true(second > first && second < 20)
  for (let turn = 0; turn < 25; turn += 1) await setImmediate()
  t.deepEqual(
    begun,
    Array.from({ length: 25 }, (_, call) => call),
  )
})

test('a call that comes alone is begun at once, each time', async (t) => {
  const inTurn = createTurns()
  let begun = 0
  for (let call = 1; call < 30; call += 1) {
    inTurn(() => {
      begun += 1
    })
    t.is(begun, call)
    await setImmediate()
    await setImmediate()
  }
})

test('a call that came alone takes nothing from a burst in a later turn', async (t) => {
  const inTurn = createTurns()
  for (let round = 0; round < 3; round += 1) {
    inTurn(() => {})
    await setImmediate()
    await setImmediate()
    let begun = 0
    const count = () => {
      begun += 1
    }
    for (let call = 0; call < 20; call += 1) inTurn(count)
    t.is(begun, 8)
    for (let turn = 0; turn < 10; turn += 1) await setImmediate()
    t.is(begun, 20)
  }
})
