import test from 'ava'
import type { Io } from '../../src/commands/command.ts'
import { runUntilSignal } from '../../src/commands/lifetime.ts'
import type { Log } from '../../src/observe/log.ts'

test('after a signal what is in flight has 800 ms: a supervisor may kill after a second', async (t) => {
  const done: unknown[] = []
  const log = { say: (_, text) => void done.push(text) } as Pick<Log, 'say'> as Log
  const close = async (graceMs: number) => void done.push(graceMs)
  const code = await runUntilSignal({ stopSignal: async () => 'SIGINT' } as Io, log, async () => ({ close }))
  t.is(code, 0)
  t.deepEqual(done, ['SIGINT: stopping', 800])
})
