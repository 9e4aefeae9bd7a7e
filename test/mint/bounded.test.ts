import test from 'ava'
import { bounded, BOUNDS as DEFAULTS, OutOfTime, retrying, timed } from '../../src/mint/bounded.ts'

const BOUNDS = { attemptMs: 20, totalMs: 60_000, retryDelaysMs: [1, 1] }
const total = new AbortController().signal

test('by itself a mint has ten seconds, and three attempts of five', (t) => {
  t.deepEqual(DEFAULTS, { attemptMs: 5_000, totalMs: 10_000, retryDelaysMs: [200, 600] })
})

test('nothing is begun once the server is closing', async (t) => {
  let begun = false
  const mint = async () => {
    begun = true
  }
  await t.throwsAsync(bounded(BOUNDS, AbortSignal.abort(), mint), { instanceOf: OutOfTime, name: 'OutOfTime' })
  t.false(begun)
})

test('a mint that heeds its signal ends with its own reason, one that does not is left behind', async (t) => {
  const heeds = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('its own'))))
  await t.throwsAsync(bounded({ ...BOUNDS, totalMs: 5 }, undefined, heeds), { message: 'its own' })
  const never = () => new Promise<never>(() => {})
  await t.throwsAsync(bounded({ ...BOUNDS, totalMs: 5 }, undefined, never), { instanceOf: OutOfTime })
  const closing = new AbortController()
  const left = t.throwsAsync(bounded(BOUNDS, closing.signal, never), { instanceOf: OutOfTime })
  closing.abort()
  await left
})

test('an attempt that fails in passing, or takes too long, is made three times; one that fails for good, once', async (t) => {
  const counted = async (isPassing: boolean, attempt: (signal: AbortSignal) => Promise<never>) => {
    let made = 0
    const one = () => {
      made += 1
      return timed(BOUNDS, total, attempt)
    }
    await t.throwsAsync(retrying(BOUNDS, total, () => isPassing, one))
    return made
  }
  t.is(await counted(true, () => Promise.reject(new Error('passing'))), 3)
  t.is(await counted(false, () => Promise.reject(new Error('for good'))), 1)
  // The timer of an attempt keeps no process alive; a call that it waits for does.
  const hangs = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      const call = setInterval(() => {}, 60_000)
      signal.addEventListener('abort', () => {
        clearInterval(call)
        reject(new Error('aborted'))
      })
    })
  t.is(await counted(false, hangs), 3)
})

test('no attempt is made after the end of the whole', async (t) => {
  const ending = new AbortController()
  let made = 0
  const attempt = async () => {
    made += 1
    ending.abort()
    throw new Error('passing')
  }
  await t.throwsAsync(
    retrying(BOUNDS, ending.signal, () => true, attempt),
    { instanceOf: OutOfTime },
  )
  t.is(made, 1)
})

test('the end of the whole ends the pause before an attempt, which is not made then', async (t) => {
  const ending = new AbortController()
  let made = 0
  const attempt = async () => {
    made += 1
    setImmediate(() => ending.abort())
    throw new Error('passing')
  }
  await t.throwsAsync(
    retrying({ ...BOUNDS, retryDelaysMs: [60_000] }, ending.signal, () => true, attempt),
    { instanceOf: OutOfTime },
  )
  t.is(made, 1)
})

test('what fails of itself is not told as time that ran out', async (t) => {
  const broken = () => Promise.reject(new Error('its own'))
  await t.throwsAsync(timed(BOUNDS, total, broken), { message: 'its own' })
  await t.throwsAsync(
    retrying(BOUNDS, total, () => true, broken),
    { message: 'its own' },
  )
})
