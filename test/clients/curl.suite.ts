/** `sidemint curl` and the alias, with curl itself, through a gate, offline. */

import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { runCli } from '../command-line.ts'
import { freePort } from '../free-port.ts'
import { BILLING, keyFile, metadata, scratch, startGate, startService } from '../gate/process.ts'
import { testWith } from './toolchain.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '..', '..')
const NEEDS = ['curl', 'mkfifo']
const REPORT = ['-sS', '-w', ' %{http_code}']

/** A directory with one command, to stand first in PATH. */
function command(name: string, script: string): string {
  const directory = join(scratch, `bin-${name}`)
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(directory, name), 0o755)
  return `${directory}:${process.env.PATH}`
}

testWith(NEEDS, 'sidemint curl as a user, a member of a group and a stranger: 200, 200, 403, offline', async (t) => {
  const { url } = await startService(t)
  const members = ['--invoker=user:ann@acme.com,group:eng@acme.com', '--group=eng@acme.com=user:bob@acme.com']
  const gate = await startGate(t, ['--upstream', url, '--audience=http://ledger:8080', ...members])
  const curl = (user: string) =>
    runCli(['curl', '--key-file', keyFile, '--issuer', metadata.issuer, '--user', user, gate.front, ...REPORT])
  t.like(await curl('ann@acme.com'), { code: 0, stdout: 'ok 200', stderr: '' })
  t.like(await curl('bob@acme.com'), { code: 0, stdout: 'ok 200' })
  t.regex((await curl('eve@evil.example')).stdout, /403 Forbidden[\s\S]* 403$/)
  t.deepEqual(
    gate.records.filter(({ event }) => event === 'gate').map(({ principal, code }) => [principal, code]),
    [
      ['ann@acme.com', 'INVOKER'],
      ['bob@acme.com', 'INVOKER'],
      ['eve@evil.example', 'NOT_AN_INVOKER'],
    ],
  )
})

testWith(
  NEEDS,
  'its token is for the origin of the URL, not in an argument, and stdin stays the caller’s',
  async (t) => {
    let authorization = ''
    let body = ''
    const { url } = await startService(t, async (req, res) => {
      authorization = req.headers.authorization ?? ''
      body = await text(req)
      res.end()
    })
    const PATH = command('curl', `printf '%s\\n' "$@"; PATH=\${PATH#*:} exec curl "$@"`)
    const argv = ['curl', '--server', metadata.url, `${url}/path?q=1`, '-sS', '-d', '@-']
    const { code, stdout } = await runCli(argv, { stdin: 'from stdin', env: { PATH } })
    t.is(code, 0)
    t.like(readClaims(authorization), { aud: url, email: BILLING, iss: metadata.issuer })
    t.is(body, 'from stdin')
    t.regex(stdout, /^--globoff\n--header\n@.*\nhttp:\/\/127\.0\.0\.1:\d+\/path\?q=1\n-sS\n-d\n@-\n$/)
  },
)

testWith(NEEDS, "it ends with curl's exit code, also where curl never reads the header", async (t) => {
  t.is((await runCli(['curl', '--server', metadata.url, 'http://127.0.0.1:9/', '-s'])).code, 7)
  const PATH = command('curl', 'exit 42')
  t.is((await runCli(['curl', '--server', metadata.url, 'http://127.0.0.1:9/'], { env: { PATH } })).code, 42)
})

testWith(NEEDS, 'the alias of examples/gcurl calls a service behind a gate', async (t) => {
  const { url } = await startService(t)
  const port = await freePort()
  const front = `http://127.0.0.1:${port}`
  const invoker = `--invoker=serviceAccount:${BILLING}`
  await startGate(t, [`--port=${port}`, '--upstream', url, '--audience', front, invoker])
  const script = `. examples/gcurl/gcurl.sh\ngcurl ${front} ${REPORT.map((word) => `'${word}'`).join(' ')}\n`
  const PATH = command('sidemint', `exec '${process.execPath}' '${join(ROOT, 'src/cli.ts')}' "$@"`)
  const env = { ...process.env, PATH, SIDEMINT_SERVER: metadata.url }
  const { stdout } = await run('sh', ['-c', script], { cwd: ROOT, env })
  t.is(stdout, 'ok 200')
})

/** Two services that note what they are asked: the one that the token is for, and one that it must not reach. */
async function startTwo(t: ExecutionContext) {
  const seen: { by: string; url: string; token: boolean }[] = []
  const start = (by: string) =>
    startService(t, (req, res) => {
      seen.push({ by, url: req.url ?? '', token: req.headers.authorization !== undefined })
      const to = new URL(req.url ?? '', 'http://a').searchParams.get('to')
      if (to !== null) res.writeHead(307, { Location: to })
      res.end()
    })
  const [good, other] = await Promise.all([start('good'), start('other')])
  return { good: good.url, other: other.url, seen }
}

const LEADS_AWAY: [what: string, argv: (other: string) => string[]][] = [
  ['a second URL', (other) => [other]],
  ['one without a scheme', (other) => [other.replace('http://', '')]],
  ['one after --', (other) => ['--', other]],
  ['one after an option with a value', (other) => ['-o', '/dev/null', other]],
  ['one after letters of which the last has a value', (other) => ['-sSo', '/dev/null', other]],
  ['one after a letter with its value', (other) => ['-o/dev/null', other]],
  ['one after an option without a value', (other) => ['--silent', other]],
  ['--url', (other) => ['--url', other]],
  ['--next', (other) => ['--next', other]],
  ['-:', (other) => ['-s:', other]],
  ['-K', () => ['-K', '-']],
  ['-K among letters', () => ['-sK-']],
  ['--config', () => ['--config', '/dev/null']],
  ['--location-trusted', () => ['--location-trusted']],
  ['an abbreviation, as older curls take it', () => ['--location-tr']],
  ['--request-target, which a proxy takes for the URL', (other) => ['--request-target', other]],
]

for (const [what, argv] of LEADS_AWAY) {
  testWith(NEEDS, `the token is led to no other URL: ${what}`, async (t) => {
    const { good, other, seen } = await startTwo(t)
    const outcome = await runCli(['curl', '--server', metadata.url, `${good}/`, ...argv(other)])
    t.is(outcome.code, 2)
    t.regex(outcome.stderr, /^sidemint: SETTINGS_INVALID: /)
    t.deepEqual(seen, [], 'nothing was sent')
  })
}

const STAYS: [what: string, argv: (other: string) => string[]][] = [
  ['values that look like URLs', (other) => ['-e', other, '-d', other, '-A', '--next', '-H', `X: ${other}`]],
  ['letters together', () => ['-sSLo', '/dev/null']],
  ['switches that are off', () => ['--no-location-trusted', '--no-progress-meter', '--no-buffer']],
  ['a -- with nothing behind it', () => ['-s', '--']],
]

for (const [what, argv] of STAYS) {
  testWith(NEEDS, `curl takes its own arguments: ${what}`, async (t) => {
    const { good, other, seen } = await startTwo(t)
    const outcome = await runCli(['curl', '--server', metadata.url, `${good}/a`, ...argv(other)])
    t.is(outcome.code, 0, outcome.stderr)
    t.deepEqual(seen, [{ by: 'good', url: '/a', token: true }])
  })
}

testWith(NEEDS, 'a redirect takes the token to no other server', async (t) => {
  const { good, other, seen } = await startTwo(t)
  for (const to of [other, other.replace('127.0.0.1', 'localhost')]) {
    await runCli(['curl', '--server', metadata.url, `${good}/?to=${encodeURIComponent(to)}`, '-sL'])
  }
  t.deepEqual(
    seen.map(({ by, token }) => [by, token]),
    [
      ['good', true],
      ['other', false],
      ['good', true],
      ['other', false],
    ],
  )
})

testWith(NEEDS, 'braces and brackets in a URL are what they say, not several URLs', async (t) => {
  const { good, seen } = await startTwo(t)
  await runCli(['curl', '--server', metadata.url, `${good}/[1-3]?q={a,b}`, '-s'])
  t.deepEqual(seen, [{ by: 'good', url: '/[1-3]?q={a,b}', token: true }])
})

testWith(NEEDS, 'curl gets the URL as it was parsed', async (t) => {
  const { good, seen } = await startTwo(t)
  const { port } = new URL(good)
  const { code } = await runCli(['curl', '--server', metadata.url, `HTTP://0x7f.1:${port}/a/../b`, '-s'])
  t.is(code, 0)
  t.deepEqual(seen, [{ by: 'good', url: '/b', token: true }])
})
