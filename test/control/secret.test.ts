import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { run, serving } from '../commands/run.ts'
import { startService } from '../gate/stack.ts'
import { ask } from '../http-client.ts'

const SECRET = 'correct-horse-battery'
const scratch = mkdtempSync(join(tmpdir(), 'sidemint-secret-'))
test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

let files = 0
function fileWith(text: string): string {
  files += 1
  const path = join(scratch, `secret-${files}`)
  writeFileSync(path, text)
  return path
}

const SERVE = ['serve', '--source=local', '--port=0']

test('a secret that is empty, short, not printable or unreadable is exit 2, and is not shown', async (t) => {
  const short = 'fifteen-letters'
  const wrong: [argv: string[], env: Record<string, string>][] = [
    [[], { SIDEMINT_CONTROL_SECRET: '' }],
    [[], { SIDEMINT_CONTROL_SECRET: short }],
    [[], { SIDEMINT_CONTROL_SECRET: 'sixteen letters and spaces' }],
    [['--control-secret-file', fileWith('')], {}],
    [['--control-secret-file', fileWith(`${short}\n`)], {}],
    [['--control-secret-file', fileWith('x'.repeat(5_000))], {}],
    [['--control-secret-file', join(scratch, 'missing')], {}],
    [['--control-secret-file', fileWith(SECRET)], { SIDEMINT_CONTROL_SECRET: SECRET }],
    [['--control-secret', SECRET], {}],
  ]
  for (const [argv, env] of wrong) {
    const { code, err: stderr } = await run([...SERVE, ...argv], env)
    t.is(code, 2, stderr)
    t.regex(stderr, /control-secret|CONTROL_SECRET/i)
    for (const secret of [short, SECRET]) t.false(stderr.includes(secret) && !argv.includes('--control-secret'))
  }
})

test('the secret in a file turns the control API on, and token --user and curl --user ask the server by it', async (t) => {
  const path = fileWith(`${SECRET}\n`)
  const { banner } = await serving<{ url: string; event: string }>(t, [...SERVE, '--control-secret-file', path])
  const asked = ['token', '--user=ann@acme.example', '--server', banner.url]
  const { code, out: stdout, err: stderr } = await run([...asked, '--control-secret-file', path])
  t.is(code, 0, stderr)
  t.is(stderr, '')
  t.like(readClaims(stdout), { email: 'ann@acme.example', iss: banner.url })
  const kid = JSON.parse(Buffer.from(stdout.split('.')[0] ?? '', 'base64url').toString()).kid
  t.true((await ask(banner.url, '/oauth2/v3/certs')).body.includes(kid), 'the key is the one that it publishes')

  const { upstream, reached } = await startService(t)
  const answer = join(scratch, 'answer')
  const flags = ['--user=ann@acme.example', '--server', banner.url, '--control-secret-file', path]
  t.is((await run(['curl', ...flags, upstream, '-s', '-o', answer])).code, 0)
  t.is(readFileSync(answer, 'utf8'), 'ok')
  const [, sent = ''] = /^Bearer (.*)$/.exec(reached[0]?.headers.authorization ?? '') ?? []
  t.like(readClaims(sent), { email: 'ann@acme.example', iss: banner.url })

  const other = await run(asked, { SIDEMINT_CONTROL_SECRET: `${SECRET}-other` })
  t.is(other.code, 1)
  t.regex(other.err, /SERVER_REFUSED.*401: CONTROL_SECRET_WRONG/)
  t.false(other.err.includes(SECRET))
})

test('a server without a control secret signs for nobody who asks', async (t) => {
  const { banner } = await serving<{ url: string; event: string }>(t, SERVE)
  const argv = ['token', '--user=ann@acme.example', '--server', banner.url]
  const { code, err: stderr } = await run(argv, { SIDEMINT_CONTROL_SECRET: SECRET })
  t.is(code, 1)
  t.regex(stderr, /it has no control secret/)
})
