import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ava from 'ava'
import { readClaims } from '../src/core/token.ts'
import { startSidemint } from '../src/index.ts'
import { COMPILE_CACHE } from './compile-cache.ts'
import { ask, DEFAULT_ACCOUNT, V1 } from './http-client.ts'

/** One after another: a dozen processes at once on two cores would test the cores. */
const test = ava.serial

const CLI = join(import.meta.dirname, '..', 'src', 'cli.ts')
const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
const AUDIENCE = 'https://a.example'

const root = await mkdtemp(join(tmpdir(), 'sidemint-cli-'))
const [home, temporary] = [join(root, 'home'), join(root, 'tmp')]
await Promise.all([mkdir(home), mkdir(temporary)])
const server = await startSidemint({ serviceAccount: EMAIL })
const port = new URL(server.url).port
/** A port where nothing listens. */
const gone = await startSidemint()
await gone.close()

const running = new Set<ChildProcess>()
ava.after.always(async () => {
  for (const child of running) child.kill('SIGKILL')
  await server.close()
  await rm(root, { recursive: true, force: true })
})

/** The variables of a machine where nobody has logged in and nothing is set. */
const BARE = { ...COMPILE_CACHE, PATH: process.env.PATH ?? '', HOME: home, TMPDIR: temporary }

interface Started {
  child: ChildProcess
  out: () => string
  err: () => string
  ended: Promise<[code: number | null, signal: string | null]>
}

function start(argv: readonly string[], env: Record<string, string> = {}): Started {
  const child = spawn(process.execPath, [CLI, ...argv], {
    env: { ...BARE, ...env },
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    out += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk) => {
    err += chunk
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child)
    return [code, signal] as [number | null, string | null]
  })
  return { child, out: () => out, err: () => err, ended }
}

async function run(argv: readonly string[], env: Record<string, string> = {}) {
  const started = start(argv, env)
  const [code] = await started.ended
  return { code, out: started.out(), err: started.err() }
}

async function until<T>(what: () => T | undefined | false | null | ''): Promise<T> {
  for (const endAt = performance.now() + 15_000; performance.now() < endAt; ) {
    const found = what()
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error('it did not happen')
}

async function serve(argv: readonly string[] = [], env: Record<string, string> = {}) {
  const started = start(['serve', '--port', '0', ...argv], env)
  const url = await until(() => /http:\/\/127\.0\.0\.1:\d+/.exec(started.err())?.[0])
  return { ...started, url }
}

test('serve announces mode, identity, address and variables on stderr, and leaves stdout empty', async (t) => {
  const own = { GCE_METADATA_HOST: '192.0.2.1:1', GCE_METADATA_IP: '192.0.2.1:1', GCE_METADATA_ROOT: '192.0.2.1:1' }
  const served = await serve(['--service-account', EMAIL], own)
  const host = new URL(served.url).host
  await until(() => served.err().includes('sidemint env'))
  const banner = served.err()
  t.regex(banner, /source +local: no Google credentials were found/)
  t.true(banner.includes(`identity ${EMAIL}`))
  for (const name of ['GCE_METADATA_HOST', 'GCE_METADATA_IP', 'GCE_METADATA_ROOT'])
    t.true(banner.includes(`${name}=${host}`))
  t.true(banner.includes('METADATA_SERVER_DETECTION=assume-present'))
  t.false(banner.includes('192.0.2.1'), 'what points clients elsewhere is not for us')
  const { body } = await ask(served.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)
  t.is(readClaims(body)?.iss, served.url)
  await until(() => served.err().includes(`-> ${AUDIENCE} as orders@acme-dev mint`))
  served.child.kill('SIGTERM')
  t.deepEqual(await served.ended, [0, null])
  t.is(served.out(), '')
})

test('the banner is one record in JSON', async (t) => {
  const served = await serve(['--log-format=json', '--source=local'])
  const record = JSON.parse(served.err().split('\n')[0] ?? '')
  t.like(record, {
    level: 'info',
    event: 'start',
    url: served.url,
    source: 'local',
    why: 'as asked',
    issuer: served.url,
  })
  const email = 'default@sidemint-local.iam.gserviceaccount.com'
  t.deepEqual(record.identities, [{ email, callers: [], hosts: [], default: true }])
  t.is(record.needed.GCE_METADATA_HOST, new URL(served.url).host)
  served.child.kill('SIGINT')
  t.deepEqual(await served.ended, [0, null])
})

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} ends serve with 0 within a second, idle, half-asked and kept-alive connections or not`, async (t) => {
    const served = await serve()
    const open = [
      '',
      'GET / HTTP/1.1\r\nHost: a\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n',
    ]
    for (const bytes of open) {
      const socket = connect(Number(new URL(served.url).port), '127.0.0.1')
      socket.on('error', () => {}).resume()
      await once(socket, 'connect')
      socket.write(bytes)
    }
    t.is((await ask(served.url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)).status, 200)
    const startedAt = performance.now()
    served.child.kill(signal)
    t.deepEqual(await served.ended, [0, null])
    t.true(performance.now() - startedAt < 3_000, `took ${performance.now() - startedAt} ms`)
  })
}

test('a port that is taken is said in one line with a fix, and exit code 1', async (t) => {
  const { code, out, err } = await run(['serve', '--port', port])
  t.is(code, 1)
  t.is(out, '')
  t.regex(
    err,
    new RegExp(`^sidemint: PORT_TAKEN: 127\\.0\\.0\\.1:${port} is in use by another process\\. Fix: [^\\n]+\\n$`),
  )
})

test('a key file that is broken is said in one line with its path, and exit code 1', async (t) => {
  const path = join(root, 'broken.pem')
  await writeFile(path, 'hello', { mode: 0o600 })
  const { code, err } = await run(['serve', '--port=0', '--key-file', path])
  t.is(code, 1)
  t.regex(err, /^sidemint: KEY_FILE_BROKEN: [^\n]+\n$/)
  t.true(err.includes(path))
})

test('wrong settings are all listed, without a stack, and exit code 2', async (t) => {
  const { code, out, err } = await run(['serve', '--prot=1', '--log-level=loud'], { SIDEMINT_HSOT: 'x' })
  t.is(code, 2)
  t.is(out, '')
  for (const name of ['--prot', '--log-level', 'SIDEMINT_HSOT']) t.true(err.includes(name))
  t.regex(err, /^sidemint: SETTINGS_INVALID: /)
  t.false(/\n\s+at /.test(err))
})

test('an unknown command is misuse, and the commands are listed', async (t) => {
  const { code, out, err } = await run(['srve'])
  t.is(code, 2)
  t.is(out, '')
  t.regex(err, /unknown command srve[\s\S]*serve[\s\S]*token[\s\S]*env[\s\S]*exec[\s\S]*healthcheck/)
})

test('--version and --help go to stdout with exit code 0', async (t) => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '..', 'package.json'), 'utf8'))
  t.deepEqual(await run(['--version']), { code: 0, out: `${version}\n`, err: '' })
  const help = await run(['--help'])
  t.like(help, { code: 0, err: '' })
  t.regex(help.out, /Usage: sidemint[\s\S]*--port N/)
  const own = await run(['token', '--help'])
  t.like(own, { code: 0, err: '' })
  t.regex(own.out, /--audience URL/)
})

test('token prints the token of the server that runs and nothing else', async (t) => {
  const { code, out, err } = await run(['token', '--audience', AUDIENCE, '--server', server.url])
  t.like({ code, err }, { code: 0, err: '' })
  t.regex(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  t.like(readClaims(out), { aud: AUDIENCE, iss: server.url })
})

test('token --claims prints JSON, of the account that is named and with its email', async (t) => {
  const argv = ['token', `--audience=${AUDIENCE}`, '--claims', '--format=full', `--service-account=${EMAIL}`]
  const { code, out } = await run(argv, { SIDEMINT_SERVER: server.url })
  t.is(code, 0)
  t.like(JSON.parse(out), { aud: AUDIENCE, email: EMAIL, email_verified: true })
})

test('token for an account that the server has not fails with its answer, and exit code 1', async (t) => {
  const { code, out, err } = await run([
    'token',
    '--audience=a',
    '--service-account=no@x.example',
    '--server',
    server.url,
  ])
  t.is(code, 1)
  t.is(out, '')
  t.regex(err, /^sidemint: SERVER_REFUSED: .*404.*no@x\.example.*Fix: .*\n$/)
})

test('token asks the server that was named and no other', async (t) => {
  const { code, out, err } = await run(['token', '--audience=a', '--server', gone.url])
  t.is(code, 1)
  t.is(out, '')
  t.regex(
    err,
    new RegExp(`^sidemint: NO_SERVER: no metadata server answers at ${gone.url} \\(ECONNREFUSED\\)\\. Fix: .*\\n$`),
  )
})

test('token mints here with a minting flag, and warns where no server can vouch for it', async (t) => {
  const own = await run(['token', '--audience=a', '--source=local', `--service-account=${EMAIL}`, '--format=full'])
  t.is(own.code, 0)
  t.like(readClaims(own.out), { aud: 'a', email: EMAIL })
  t.regex(own.err, /^sidemint: .*no server can vouch for it.*--key-file.*\n$/)
  const kept = await run([
    'token',
    '--audience=a',
    '--key-file',
    join(root, 'kept.pem'),
    '--issuer=http://metadata.google.internal',
  ])
  t.like(kept, { code: 0, err: '' })
  t.is(readClaims(kept.out)?.iss, 'http://metadata.google.internal')
})

test('token without an audience or with a wrong format is misuse', async (t) => {
  for (const argv of [[], ['--audience='], ['--audience=a', '--format=ful']]) {
    const { code, out, err } = await run(['token', ...argv])
    t.is(code, 2)
    t.is(out, '')
    t.regex(err, /--(?:audience|format): /)
  }
})

test('env in a shell sets what clients need, and evaluated twice it keeps the first directory of gcloud', async (t) => {
  const script = `eval "$(${process.execPath} ${CLI} env --server http://127.0.0.1:1)" && eval "$(${process.execPath} ${CLI} env --server http://127.0.0.1:2)" && env`
  const child = spawn('sh', ['-c', script], {
    env: {
      ...BARE,
      CLOUDSDK_CONFIG: "/it's mine",
      GOOGLE_APPLICATION_CREDENTIALS: '/login.json',
      NO_PROXY: 'corp.example',
    },
    cwd: root,
  })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    out += chunk
  })
  t.is((await once(child, 'close'))[0], 0)
  const set = Object.fromEntries(
    out.split('\n').map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]),
  )
  t.is(set.SIDEMINT_HOST_CLOUDSDK_CONFIG, "/it's mine")
  t.is(set.CLOUDSDK_CONFIG, join(home, '.cache', 'sidemint', 'cloudsdk'))
  t.deepEqual(await readdir(set.CLOUDSDK_CONFIG ?? ''), [])
  for (const name of ['GCE_METADATA_HOST', 'GCE_METADATA_IP', 'GCE_METADATA_ROOT']) t.is(set[name], '127.0.0.1:2')
  t.is(set.METADATA_SERVER_DETECTION, 'assume-present')
  t.is(set.NO_PROXY, 'corp.example,127.0.0.1,metadata.google.internal,169.254.169.254')
  t.is(set.no_proxy, set.NO_PROXY)
  t.false('GOOGLE_APPLICATION_CREDENTIALS' in set)
  t.false(Object.keys(set).some((name) => name.startsWith('K_')))
})

test('env prints dotenv, compose and json, and warns of a login that some clients find anyway', async (t) => {
  const own = join(root, 'logged-in')
  await mkdir(join(own, '.config', 'gcloud'), { recursive: true })
  const login = join(own, '.config', 'gcloud', 'application_default_credentials.json')
  await writeFile(login, '{}')
  const dotenv = await run(['env', '--format=dotenv'], { HOME: own })
  t.is(dotenv.code, 0)
  for (const line of dotenv.out.trimEnd().split('\n')) t.regex(line, /^[A-Za-z_]+=[^'\s]*$/)
  t.true(dotenv.out.includes('GCE_METADATA_HOST=127.0.0.1:16925\n'))
  t.true(dotenv.out.includes('GOOGLE_APPLICATION_CREDENTIALS=\n'))
  t.true(dotenv.err.includes(login))

  const json = await run(['env', '--format=json', '--server', server.url])
  t.is(json.err, '')
  t.like(JSON.parse(json.out), { GCE_METADATA_ROOT: `127.0.0.1:${port}`, GOOGLE_APPLICATION_CREDENTIALS: null })

  const compose = await run(['env', '--format=compose'])
  t.is(
    compose.out,
    'GCE_METADATA_HOST: metadata.google.internal\nGCE_METADATA_IP: metadata.google.internal\nGCE_METADATA_ROOT: metadata.google.internal\n' +
      'METADATA_SERVER_DETECTION: assume-present\nNO_PROXY: metadata.google.internal,169.254.169.254\nno_proxy: metadata.google.internal,169.254.169.254\n',
  )
  t.is((await run(['env', '--format=fish'])).code, 2)
})

test('exec points the command at a server of its own, ends with its exit code and leaves nothing behind', async (t) => {
  const program = `
    const { GCE_METADATA_HOST: host, CLOUDSDK_CONFIG, GOOGLE_APPLICATION_CREDENTIALS } = process.env
    const read = (path) => fetch('http://' + host + path, { headers: { 'Metadata-Flavor': 'Google' } }).then((r) => r.text())
    const email = await read('${DEFAULT_ACCOUNT}/email')
    console.log(JSON.stringify({ host, CLOUDSDK_CONFIG, GOOGLE_APPLICATION_CREDENTIALS, email, argv: process.argv.slice(1) }))
    process.exit(7)`
  const argv = [
    'exec',
    '--source',
    'local',
    '--service-account',
    EMAIL,
    '--',
    process.execPath,
    '--input-type=module',
    '-e',
    program,
    '--',
    '--port',
    'x y',
  ]
  const { code, out, err } = await run(argv, { CLOUDSDK_CONFIG: '/mine', GCE_METADATA_HOST: '192.0.2.1' })
  t.is(code, 7)
  const told = JSON.parse(out)
  t.is(told.email, EMAIL)
  t.regex(told.host, /^127\.0\.0\.1:\d+$/)
  t.true(told.CLOUDSDK_CONFIG.startsWith(temporary))
  t.false(existsSync(told.CLOUDSDK_CONFIG))
  t.deepEqual(told.argv, ['--port', 'x y'])
  t.regex(err, /^sidemint: local tokens as orders@acme-dev\.iam\.gserviceaccount\.com at http:\/\/127\.0\.0\.1:\d+\n$/)
  await t.throwsAsync(ask(`http://${told.host}`, `${V1}/`), { code: 'ECONNREFUSED' })
})

test('exec hands signals on, and a command that a signal ended is 128 and its number', async (t) => {
  const started = start(['exec', '--', process.execPath, '-e', 'console.log("up"); setTimeout(() => {}, 60_000)'])
  await until(() => started.out().includes('up'))
  started.child.kill('SIGTERM')
  t.deepEqual(await started.ended, [143, null])

  const own = start([
    'exec',
    '--',
    process.execPath,
    '-e',
    'process.on("SIGTERM", () => process.exit(3)); console.log("up"); setTimeout(() => {}, 60_000)',
  ])
  await until(() => own.out().includes('up'))
  own.child.kill('SIGINT')
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.is(own.child.exitCode, null, 'Ctrl-C is for the command to decide')
  own.child.kill('SIGTERM')
  t.deepEqual(await own.ended, [3, null])
})

test('exec says in one line that a command cannot be run, and no command is misuse', async (t) => {
  const unknown = await run(['exec', '--', 'no-such-command-of-ours'])
  t.is(unknown.code, 1)
  t.regex(unknown.err, /\nsidemint: COMMAND_NOT_RUN: cannot run no-such-command-of-ours: ENOENT\. Fix: [^\n]+\n$/)
  t.is((await run(['exec'])).code, 2)
  t.is((await run(['exec', '--'])).code, 2)
})

test('healthcheck is 0 where a server serves, 1 where none does, and 2 for misuse', async (t) => {
  t.deepEqual(await run(['healthcheck', '--port', port]), { code: 0, out: '', err: '' })
  t.is((await run(['healthcheck', '--ready'], { SIDEMINT_PORT: port, SIDEMINT_HOST: '0.0.0.0' })).code, 0)
  const none = await run(['healthcheck'], { SIDEMINT_PORT: new URL(gone.url).port, SIDEMINT_HOST: '' })
  t.is(none.code, 1)
  t.regex(none.err, /^sidemint: 127\.0\.0\.1:\d+\/_sidemint\/health: ECONNREFUSED\n$/)
  for (const argv of [['--port'], ['--port=x'], ['--port=65536'], ['--redy'], ['extra']]) {
    const { code, out, err } = await run(['healthcheck', ...argv])
    t.is(code, 2, argv.join(' '))
    t.is(out, '')
    t.false(err.includes('INTERNAL'))
  }
})

test('a key file over restarts gives the same key, made with mode 0600', async (t) => {
  const path = join(root, 'restart.pem')
  const kids: string[] = []
  for (let time = 0; time < 2; time++) {
    const served = await serve([], { SIDEMINT_KEY_FILE: path })
    kids.push(JSON.parse((await ask(served.url, '/oauth2/v3/certs')).body).keys[0].kid)
    served.child.kill('SIGTERM')
    await served.ended
  }
  t.is(kids[0], kids[1])
  t.is((await stat(path)).mode & 0o777, 0o600)
})
