import { readFileSync } from 'node:fs'
import test from 'ava'
import { run } from './run.ts'

test('wrong settings are all listed, without a stack, and exit code 2', async (t) => {
  const { code, out, err } = await run(['serve', '--prot=1', '--log-level=loud'], { SIDEMINT_HSOT: 'x' })
  t.is(code, 2)
  t.is(out, '')
  for (const name of ['--prot', '--log-level', 'SIDEMINT_HSOT']) t.true(err.includes(name))
  t.regex(err, /^sidemint: SETTINGS_INVALID: /)
  t.false(/\n\s+at /.test(err))
})

test('flags without a command are those of serve', async (t) => {
  t.regex((await run(['--prot=1'])).err, /--prot: unknown flag \(did you mean --port\?\)/)
})

test('an unknown command is misuse, and the commands are listed', async (t) => {
  for (const name of ['srve', 'constructor']) {
    const { code, out, err } = await run([name])
    t.is(code, 2)
    t.is(out, '')
    t.true(err.includes(`unknown command ${name}`))
    t.regex(err, /serve[\s\S]*token[\s\S]*env[\s\S]*exec[\s\S]*healthcheck/)
  }
})

test('--version and --help go to stdout with exit code 0', async (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  t.deepEqual(await run(['--version']), { code: 0, out: `${version}\n`, err: '' })
  for (const flag of ['--help', '-h']) {
    const help = await run([flag])
    t.like(help, { code: 0, err: '' })
    t.regex(help.out, /Usage: sidemint[\s\S]*--port N/)
    const own = await run(['token', flag])
    t.like(own, { code: 0, err: '' })
    t.regex(own.out, /--audience URL/)
    t.notRegex(own.out, /Usage: sidemint/)
  }
})

test('--help after `--` is for the command that exec runs', async (t) => {
  const { code, out } = await run(['exec', '--', 'test', '--help'])
  t.is(code, 0)
  t.is(out, '')
})

test('a command after flags is told to stand first', async (t) => {
  const { code, err } = await run(['--source', 'local', 'token', '--audience', 'https://billing.example'])
  t.is(code, 2)
  t.regex(err, /token: serve takes no arguments; a command stands before its flags/)
})
