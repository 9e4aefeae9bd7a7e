import test from 'ava'
import type { Io } from '../../src/commands/command.ts'
import { following, runUntilSignal } from '../../src/commands/lifetime.ts'
import type { Follower } from '../../src/config/follow.ts'
import type { Log } from '../../src/observe/log.ts'

test('after a signal what is in flight has 800 ms: a supervisor may kill after a second', async (t) => {
  const done: unknown[] = []
  const log = { say: (_, text) => void done.push(text) } as Pick<Log, 'say'> as Log
  const close = async (graceMs: number) => void done.push(graceMs)
  const code = await runUntilSignal({ stopSignal: async () => 'SIGINT' } as Io, log, async () => ({ close }))
  t.is(code, 0)
  t.deepEqual(done, ['SIGINT: stopping', 800])
})

test('what follows its settings file stops following before it stops, with the same time for what is in flight', async (t) => {
  const done: unknown[] = []
  const apply = async () => {}
  const follower = {
    start: (given: unknown) => void done.push(given),
    stop: async () => void done.push('stopped'),
  } as Pick<Follower, 'start' | 'stop'> as Follower
  const { close } = following(follower, { apply, close: async (graceMs) => void done.push(graceMs) })
  await close(800)
  t.deepEqual(done, [apply, 'stopped', 800])
})
