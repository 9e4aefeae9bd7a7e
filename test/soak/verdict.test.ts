import test from 'ava'
import { findFaults, type Measured, type Rest } from './verdict.ts'

const REST: Rest = { heapMiB: 25, residentMiB: 130, descriptors: 28 }

/** A sound run, but for what is given. */
const run = (last: Partial<Rest> = {}, more: Partial<Measured> = {}): Measured => ({
  rests: [{ ...REST, heapMiB: 12 }, REST, REST, { ...REST, ...last }],
  wrong: { count: 0, first: [] },
  checked: 1,
  tooLate: 0,
  tookMs: [1, 2, 3],
  machineLateMs: 1,
  end: undefined,
  ...more,
})

test('a run in which nothing grew after its first parts is sound', (t) => {
  t.deepEqual(findFaults(run()), [])
  t.deepEqual(findFaults(run({ heapMiB: 28, residentMiB: 145, descriptors: 29 })), [])
})

test('a heap, resident memory and descriptors that grow are found, each by its name', (t) => {
  t.deepEqual(findFaults(run({ heapMiB: 29, residentMiB: 160, descriptors: 31 })), [
    'the heap grew from 25.0 MiB after part 2 to 29.0 MiB at the end',
    'resident memory grew from 130.0 MiB after part 2 to 160.0 MiB at the end',
    'descriptors grew from 28 to 31, with no client there',
  ])
})

test('what was wrong in an answer is said, and how much more of it there was', (t) => {
  const wrong = { count: 3, first: ['a token for b was answered for a', 'another'] }
  t.deepEqual(findFaults(run({}, { wrong })), [...wrong.first, 'and 1 more like these'])
})

test('a server that ended, a run without tokens and one that is too short are faults', (t) => {
  t.deepEqual(findFaults(run({}, { end: 'the server ended with 1' })), ['the server ended with 1'])
  t.deepEqual(findFaults(run({}, { checked: 0 })), ['no token was answered'])
  t.deepEqual(findFaults(run({}, { rests: [REST, REST] })), ['the run was too short to tell'])
})

test('slow answers are a fault of the server only where the machine was not late itself', (t) => {
  const tookMs = Array.from({ length: 100 }, (_, at) => (at < 90 ? 1 : 400))
  t.deepEqual(findFaults(run({}, { tookMs })), ['one in a hundred cached tokens took more than 400 ms'])
  t.deepEqual(findFaults(run({}, { tooLate: 2 })), ['2 answers said that Google was too late'])
  t.deepEqual(findFaults(run({}, { tookMs, tooLate: 2, machineLateMs: 300 })), [])
})
