/** When a credential file is read, by a clock and a disk of the test's own. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { failure } from '../../src/core/errors.ts'
import type { Adc } from '../../src/mint/adc.ts'
import { createCredentials } from '../../src/mint/credentials.ts'
import { createClock, SECOND } from '../clock.ts'

const USER = { credential: { kind: 'user', json: {} } } as unknown as Adc
const KEY = { credential: { kind: 'key', email: 'a@x', json: {} } } as unknown as Adc

/** `says`: what the disk has to say to each reading, an Adc or an error. */
function setUp(t: ExecutionContext, says: () => unknown) {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-look-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'adc.json')
  const clock = createClock()
  let [readings, changes, version] = [0, 0, 0]
  const credentials = createCredentials(
    { GOOGLE_APPLICATION_CREDENTIALS: path },
    clock.now,
    () => {
      changes += 1
    },
    async () => {
      readings += 1
      const said = await says()
      if (said instanceof Error) throw said
      return said as Adc
    },
  )
  const write = () => writeFileSync(path, 'x'.repeat(++version))
  write()
  return {
    clock,
    credentials,
    counts: () => ({ readings, changes }),
    /** Looks once the file was written and a second has passed. */
    async written() {
      write()
      clock.advance(SECOND)
      await credentials.look()
    },
  }
}

test('a file is read at the first look, then once it has changed, and meanwhile nobody has to wait', async (t) => {
  const { clock, credentials, counts, written } = setUp(t, () => USER)
  await credentials.look()
  t.like(credentials.adc(), USER)
  for (let second = 0; second < 3; second++) {
    clock.advance(SECOND)
    t.is(credentials.look(), undefined)
  }
  t.deepEqual(counts(), { readings: 1, changes: 0 })
  await written()
  t.deepEqual(counts(), { readings: 2, changes: 0 }, 'the same credentials are no change')
})

test('whoever looks while the file is read waits for that reading', async (t) => {
  const disk = Promise.withResolvers<Adc>()
  const { clock, credentials, counts } = setUp(t, () => disk.promise)
  const first = credentials.look()
  clock.advance(SECOND)
  t.is(credentials.look(), first)
  disk.resolve(USER)
  await first
  t.is(counts().readings, 1)
})

test('other credentials are a change, but not those that were found first', async (t) => {
  let found = USER
  const { credentials, counts, written } = setUp(t, () => found)
  await credentials.look()
  const before = credentials.adc()
  await written()
  t.is(credentials.adc(), before, 'the same object')
  found = KEY
  await written()
  t.like(credentials.adc(), KEY)
  t.is(counts().changes, 1)
})

test('what is wrong with the file passes by itself where there are earlier credentials', async (t) => {
  const wrong = failure('CREDENTIALS_MALFORMED', { path: 'p', reason: 'r' })
  let found: unknown = wrong
  const { credentials, counts, written } = setUp(t, () => found)
  await credentials.look()
  const { code, status, message, fix } = wrong
  t.like(credentials.broken(), { code, status, message, fix })
  await written()
  t.is(counts().changes, 1, 'there may be another reason')
  found = USER
  await written()
  t.is(credentials.broken(), undefined)
  t.is(counts().changes, 2)
  found = wrong
  await written()
  t.like(credentials.broken(), { code, status: 503, message, fix })
  t.like(credentials.adc(), USER)
  t.is(counts().changes, 2)
})

test('what the system had trouble with is read again every second, also where the clock was set back', async (t) => {
  let found: unknown = failure('CREDENTIALS_NOT_READ', { path: 'p', reason: 'EIO' })
  const { clock, credentials, counts } = setUp(t, () => found)
  await credentials.look()
  clock.advance(SECOND - 1)
  t.is(credentials.look(), undefined)
  clock.advance(1)
  await credentials.look()
  t.is(counts().readings, 2)
  clock.advance(-SECOND)
  await credentials.look()
  t.is(counts().readings, 3)
  found = failure('CREDENTIALS_MALFORMED', { path: 'p', reason: 'r' })
  clock.advance(SECOND)
  await credentials.look()
  clock.advance(SECOND)
  t.is(credentials.look(), undefined, 'what is wrong in the file stays so')
  t.is(counts().readings, 4)
})
