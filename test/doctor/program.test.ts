import { join } from 'node:path'
import test from 'ava'
import { runProgram } from '../../src/doctor/program.ts'
import { tools } from './compose/tools.ts'

const options = { env: {}, timeoutMs: 30_000 }

test('a program that hangs is ended in time, one that fails or is not there is told apart', async (t) => {
  const directory = tools(t, { hang: 'exec sleep 60', fail: 'echo out; echo why >&2; exit 3', talk: 'echo "$1"' })
  const at = (name: string) => join(directory, name)
  t.deepEqual(await runProgram(at('talk'), ['$HOME *'], options), { kind: 'done', stdout: '$HOME *\n' })
  t.deepEqual(await runProgram(at('fail'), [], options), { kind: 'failed', exitCode: 3, stderr: 'why\n' })
  t.deepEqual(await runProgram(at('absent'), [], options), { kind: 'absent' })
  const startedAtMs = Date.now()
  t.deepEqual(await runProgram(at('hang'), [], { env: {}, timeoutMs: 200 }), { kind: 'late' })
  t.true(Date.now() - startedAtMs < 30_000)
})

test('no program is given the credentials, only that there are some', async (t) => {
  const show = join(tools(t, { show: 'echo "$SIDEMINT_CREDENTIALS,$OTHER"' }), 'show')
  const shown = async (env: NodeJS.ProcessEnv) => runProgram(show, [], { ...options, env })
  t.deepEqual(await shown({ SIDEMINT_CREDENTIALS: '{"key"', OTHER: 'o' }), { kind: 'done', stdout: 'set,o\n' })
  t.deepEqual(await shown({}), { kind: 'done', stdout: ',\n' })
})
