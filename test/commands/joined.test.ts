import { execFile } from 'node:child_process'
import { setImmediate as nextTurn } from 'node:timers/promises'
import test from 'ava'
import { joinWrites } from '../../src/commands/joined.ts'
import { runCli } from '../command-line.ts'

function setUp() {
  const written: string[] = []
  return { written, joined: joinWrites({ write: (text) => written.push(text) }) }
}

test('what is written within a turn is one write at its end, in order, and the next turn is another', async (t) => {
  const { written, joined } = setUp()
  joined.write('one\n')
  queueMicrotask(() => joined.write('two\n'))
  process.nextTick(() => joined.write('three\n'))
  t.deepEqual(written, [])
  await nextTurn()
  await nextTurn()
  t.deepEqual(written.join('').split('\n').toSorted(), ['', 'one', 'three', 'two'])
  t.is(written.length, 1)
  joined.write('four\n')
  await nextTurn()
  t.deepEqual(written.slice(1), ['four\n'])
})

test('a flush writes at once what waits, and nothing twice', async (t) => {
  const { written, joined } = setUp()
  joined.write('one\n')
  joined.write('two\n')
  joined.flush()
  joined.flush()
  await nextTurn()
  t.deepEqual(written, ['one\ntwo\n'])
})

test('a process that ends in the middle of a turn loses none of its lines', async (t) => {
  const module = new URL('../../src/commands/joined.ts', import.meta.url).href
  const lines = Array.from({ length: 300 }, (_, line) => `line ${line} ${'x'.repeat(50)}\n`)
  const script = `
    const { joinWrites } = await import(${JSON.stringify(module)})
    const joined = joinWrites(process.stderr)
    process.on('exit', joined.flush)
    for (let line = 0; line < 300; line += 1) joined.write('line ' + line + ' ' + 'x'.repeat(50) + '\\n')
    process.exit(3)`
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', script], (error, _, stderr) =>
      resolve({ code: error?.code, stderr }),
    )
  })
  t.is(code, 3)
  t.is(stderr, lines.join(''))
})

test('what the command line says of a misuse arrives whole', async (t) => {
  const { code, stderr } = await runCli(['nonsense'])
  t.is(code, 2)
  t.regex(stderr, /^sidemint: unknown command nonsense\nUsage: [\s\S]*names the command's flags\.\n$/)
})
