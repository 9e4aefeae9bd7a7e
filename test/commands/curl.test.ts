import { execFileSync } from 'node:child_process'
import test from 'ava'
import { type CurlOptions, findLeak, readCurlOptions } from '../../src/commands/curl-arguments.ts'
import { run } from './run.ts'

const REFUSED: [url: string, why: RegExp][] = [
  ['http://good.example\\@other.example/', /the URL: has a backslash/],
  ['http://good.example\\.other.example/', /has a backslash/],
  ['http://good.exam\tple/', /control character/],
  ['http://good.example/ http://other.example/', /a space/],
  ['http://good.example/\u0000', /control character/],
  ['http://good.example\uff0f.other.example/', /must be a URL/],
  ['http://ann:s3cret@good.example/', /the URL: has a user before its host/],
  ['http://@good.example/', /has a user before its host/],
  ['http://good.example@other.example/', /has a user before its host/],
  ['http://{good.example,other.example}/', /no plain host name/],
  ['ftp://good.example/', /must be a URL with http:/],
  ['good.example', /must be a URL with http:/],
]

for (const [url, why] of REFUSED) {
  test(`curl sends no token to a URL that two readers may read as two: ${JSON.stringify(url)}`, async (t) => {
    const { code, out, err } = await run(['curl', '--source=local', url])
    t.is(code, 2)
    t.is(out, '')
    t.regex(err, why)
    t.notRegex(err, /s3cret/)
  })
}

test("curl says of curl's own arguments before the URL where they go", async (t) => {
  for (const argument of ['-d', '-i', '--location', '--location-trusted']) {
    const { code, out, err } = await run(['curl', '--source=local', argument, 'http://good.example/'])
    t.is(code, 2)
    t.is(out, '')
    t.regex(err, /unknown flag.*; curl's own arguments follow the URL: sidemint curl https:\/\/ledger\.example -i/)
  }
  const typo = await run(['curl', '--audence=x', 'http://good.example/'])
  t.regex(typo.err, /--audence: unknown flag \(did you mean --audience\?\)/)
})

test('curl without a URL is misuse', async (t) => {
  const { code, err } = await run(['curl'])
  t.is(code, 2)
  t.regex(err, /name the URL/)
})

test('curl makes no key where the key file is missing', async (t) => {
  for (const flags of [[], ['--user=ann@acme.com']]) {
    const { code, err } = await run(['curl', ...flags, '--key-file=/nonexistent/key.pem', 'http://127.0.0.1:9/'])
    t.is(code, 1)
    t.regex(err, /^sidemint: KEY_FILE_MISSING: /)
  }
})

/** What the curl of this machine knows. */
let known: CurlOptions
test.before(() => {
  known = readCurlOptions(execFileSync('curl', ['--help', 'all'], { encoding: 'utf8' }))
})

test('curl is not run where its own arguments could take the token elsewhere', async (t) => {
  const refused = await run([
    'curl',
    '--source=local',
    'http://good.example/',
    '-s',
    '--resolve',
    'good.example:80:::1',
  ])
  t.deepEqual([refused.code, refused.out], [2, ''])
  t.regex(refused.err, /SETTINGS_INVALID: --resolve: may take the token to another host/)
  const proven = await run(['curl', '--source=local', 'https://127.0.0.1:9/', '-s', '--resolve', 'a.example:80:::1'])
  t.is(proven.code, 7, "curl's own code: nobody listens there")
})

const ELSEWHERE = 'http://127.0.0.1:9'
const LEADING_AWAY = [
  ...['--url', '--next', '-:', '--config', '-K', '--location-trusted', '--request-target'],
  ...['--proxy', '-x', '-sx', '--preproxy', '--proxy1.0', '--socks4', '--socks4a', '--socks5', '--socks5-hostname'],
]

for (const option of LEADING_AWAY) {
  test(`curl takes the token to no other place: ${option}`, (t) => {
    t.regex(
      findLeak(new URL('http://127.0.0.1:9/'), [option, ELSEWHERE], known) ?? '',
      /would take the token to another URL \(--/,
    )
  })
}

const REROUTED = [
  ['--connect-to', '::127.0.0.1:9'],
  ['--resolve', 'good.example:80:127.0.0.1'],
  ['--unix-socket', '/tmp/a.sock'],
  ['--abstract-unix-socket', 'a'],
  ['--doh-url', 'https://127.0.0.1:9'],
  ['--dns-servers', '127.0.0.1'],
] as const

for (const [option, value] of REROUTED) {
  test(`curl takes the token to no other host that no certificate proves: ${option}`, (t) => {
    for (const [url, argv, unproven] of [
      ['http://good.example/', [option, value], 'an http URL'],
      ['https://good.example/', ['-sk', option, value], '--insecure'],
    ] as const) {
      const leak = findLeak(new URL(url), argv, known)
      t.true(
        leak?.startsWith(
          `${option}: may take the token to another host (${option}), and with ${unproven} no certificate`,
        ),
      )
    }
    t.is(findLeak(new URL('https://127.0.0.1:9/'), ['--no-insecure', '-s', option, value], known), undefined)
  })
}
