import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import test from 'ava'
import { help } from '../../src/commands/env.ts'
import { startSidemint } from '../../src/index.ts'
import { freePort } from '../free-port.ts'
import { BARE, run, scratch, serve } from './run.ts'

/** The variables of a shell after it evaluated what was printed. */
function evaluate(printed: string, env: NodeJS.ProcessEnv): Record<string, string> {
  const out = execFileSync('sh', ['-c', `${printed}\nenv -0`], { env, encoding: 'utf8' })
  return Object.fromEntries(
    out.split('\0').map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)] as const),
  )
}

test('env in a shell sets what clients need, and evaluated twice it keeps the first directory of gcloud', async (t) => {
  let set: Record<string, string> = {
    ...BARE,
    CLOUDSDK_CONFIG: "/it's mine",
    GOOGLE_APPLICATION_CREDENTIALS: '/login.json',
    NO_GCE_CHECK: 'true',
    NO_PROXY: 'corp.example',
  }
  for (const server of ['http://127.0.0.1:1', 'http://127.0.0.1:2']) {
    const { code, out, err } = await run(['env', '--server', server], set)
    t.like({ code, err }, { code: 0, err: '' })
    set = evaluate(out, set)
  }
  t.is(set.SIDEMINT_HOST_CLOUDSDK_CONFIG, "/it's mine")
  t.is(set.CLOUDSDK_CONFIG, join(BARE.HOME, '.cache', 'sidemint', 'cloudsdk', '127.0.0.1-2'))
  t.deepEqual(readdirSync(set.CLOUDSDK_CONFIG ?? ''), [])
  for (const name of ['GCE_METADATA_HOST', 'GCE_METADATA_IP', 'GCE_METADATA_ROOT']) t.is(set[name], '127.0.0.1:2')
  t.is(set.METADATA_SERVER_DETECTION, 'assume-present')
  t.is(set.SIDEMINT_SERVER, 'http://127.0.0.1:2', 'our own commands ask the same server')
  t.is(set.NO_PROXY, 'corp.example,127.0.0.1,metadata.google.internal,169.254.169.254')
  t.is(set.no_proxy, set.NO_PROXY)
  t.false('GOOGLE_APPLICATION_CREDENTIALS' in set)
  t.false('NO_GCE_CHECK' in set)
  t.false(Object.keys(set).some((name) => name.startsWith('K_')))
})

test('env speaks fish and PowerShell too, with quotes that each of them reads', async (t) => {
  const env = { CLOUDSDK_CONFIG: "/it's \\mine" }
  const fish = await run(['env', '--format=fish', '--server=http://127.0.0.1:2'], env)
  for (const line of fish.out.trimEnd().split('\n')) t.regex(line, /^set (-gx \w+ '.*'|-e \w+)$/)
  t.true(fish.out.includes("set -gx GCE_METADATA_HOST '127.0.0.1:2'\n"))
  t.true(fish.out.includes("set -gx SIDEMINT_HOST_CLOUDSDK_CONFIG '/it\\'s \\\\mine'\n"))
  t.true(fish.out.includes('set -e GOOGLE_APPLICATION_CREDENTIALS\n'))
  const powershell = await run(['env', '--format=powershell', '--server=http://127.0.0.1:2'], env)
  for (const line of powershell.out.trimEnd().split('\n')) t.regex(line, /^\$env:\w+ = ('.*'|\$null)$/)
  t.true(powershell.out.includes("$env:SIDEMINT_HOST_CLOUDSDK_CONFIG = '/it''s \\mine'\n"))
  t.true(powershell.out.includes('$env:GOOGLE_APPLICATION_CREDENTIALS = $null\n'))
})

test('a server that accepts and stays silent holds env up for moments only, and is named', async (t) => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  t.teardown(() => silent.close())
  await once(silent, 'listening')
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const startedAt = performance.now()
  const { code, out, err } = await run(['env', '--server', url])
  t.true(performance.now() - startedAt < 8_000)
  t.is(code, 0)
  t.regex(out, /^export GCE_METADATA_HOST=/m)
  t.is(
    err,
    `sidemint: the server at ${url} has not answered within 2 s, so its project is not among these. Fix: set GOOGLE_CLOUD_PROJECT, or look at the log of that server\n`,
  )
  const absent = await run(['env', '--server', `http://127.0.0.1:${await freePort()}`])
  t.is(absent.err, '', 'a server may be started later')
  const named = await run(['env', '--server', url], { GOOGLE_CLOUD_PROJECT: 'acme-dev' })
  t.is(named.err, '', 'the project is known already')
})

test('a token in a shell that env pointed at a server is of that server', async (t) => {
  await using server = await startSidemint({ serviceAccount: 'orders@acme-dev.iam.gserviceaccount.com' })
  const set = evaluate((await run(['env', '--server', `${server.url}/`])).out, BARE)
  const { out } = await run(['token', '--audience=a', '--format=full', '--claims'], set)
  t.like(JSON.parse(out), { iss: server.url, email: 'orders@acme-dev.iam.gserviceaccount.com' })
})

test('the help of env says which clients no variable reaches', (t) => {
  t.regex(help(), /No variable reaches PHP, .*openai.*:\nthey ask metadata\.google\.internal or 169\.254\.169\.254/)
})

for (const [name, other] of [
  ['NO_PROXY', 'no_proxy'],
  ['no_proxy', 'NO_PROXY'],
] as const) {
  test(`env adds our hosts to what ${name} says, and writes both spellings`, async (t) => {
    const { out } = await run(['env', '--format=json'], { [name]: 'corp.example  .lan, ' })
    const { [name]: own, [other]: twin } = JSON.parse(out)
    t.is(own, 'corp.example,.lan,127.0.0.1,metadata.google.internal,169.254.169.254')
    t.is(twin, own)
  })
}

for (const again of ['env', 'serve'] as const) {
  test(`${again} forgets what gcloud remembers of a server that was there before`, async (t) => {
    const HOME = join(scratch, `remembers-${again}`)
    const port = String(await freePort())
    const server = `http://127.0.0.1:${port}`
    const { CLOUDSDK_CONFIG } = JSON.parse((await run(['env', '--format=json', '--server', server], { HOME })).out)
    for (const name of ['gce', 'access_tokens.db', 'config_sentinel']) writeFileSync(join(CLOUDSDK_CONFIG, name), '')
    if (again === 'env') await run(['env', '--server', server], { HOME })
    else {
      const served = await serve(['--port', port], { HOME })
      served.stop()
      await served.ended
    }
    t.deepEqual(readdirSync(CLOUDSDK_CONFIG), ['config_sentinel'])
  })
}

test('serve forgets what gcloud remembers of each of its ports, by whatever name of this host they were asked', async (t) => {
  const HOME = join(scratch, 'remembers-ports')
  const [port, own] = [await freePort(), await freePort()]
  const config = join(scratch, 'ports.yaml')
  writeFileSync(config, `identities: [{ serviceAccount: orders@acme-dev.iam.gserviceaccount.com, port: ${own} }]`)
  const directories = await Promise.all(
    [port, own].map(async (each) => {
      const { out } = await run(['env', '--format=json', `--server=http://localhost:${each}`], { HOME })
      const { CLOUDSDK_CONFIG } = JSON.parse(out)
      writeFileSync(join(CLOUDSDK_CONFIG, 'access_tokens.db'), '')
      return CLOUDSDK_CONFIG
    }),
  )
  t.is(new Set(directories).size, 2)
  const served = await serve(['--port', String(port), '--config', config], { HOME })
  served.stop()
  await served.ended
  for (const directory of directories) t.deepEqual(readdirSync(directory), [])
})

test('env names the project: of the server, else of the settings, and only where none is set', async (t) => {
  await using server = await startSidemint({ project: 'acme-dev' })
  const project = async (format: string, env: NodeJS.ProcessEnv) =>
    /GOOGLE_CLOUD_PROJECT\W+([\w-]+)/.exec((await run(['env', `--format=${format}`], env)).out)?.[1]
  const here = { SIDEMINT_SERVER: server.url, SIDEMINT_PROJECT: 'of-the-settings' }
  const nowhere = { ...here, SIDEMINT_SERVER: `http://127.0.0.1:${await freePort()}` }
  for (const format of ['shell', 'dotenv', 'json', 'compose']) {
    t.is(await project(format, here), 'acme-dev', format)
    t.is(await project(format, nowhere), 'of-the-settings', format)
  }
  t.is(await project('shell', { ...here, GOOGLE_CLOUD_PROJECT: 'mine' }), undefined)
  t.is(await project('shell', { SIDEMINT_SERVER: nowhere.SIDEMINT_SERVER }), undefined)
})

test('env prints dotenv, compose and json, and warns of a login that some clients find anyway', async (t) => {
  const HOME = join(scratch, 'logged-in')
  mkdirSync(join(HOME, '.config', 'gcloud'), { recursive: true })
  const login = join(HOME, '.config', 'gcloud', 'application_default_credentials.json')
  writeFileSync(login, '{}')
  const dotenv = await run(['env', '--format=dotenv'], { HOME })
  t.is(dotenv.code, 0)
  for (const line of dotenv.out.trimEnd().split('\n')) t.regex(line, /^[A-Za-z_]+=[^'\s]*$/)
  t.true(dotenv.out.includes('GCE_METADATA_HOST=127.0.0.1:16925\n'))
  t.true(dotenv.out.includes('GOOGLE_APPLICATION_CREDENTIALS=\n'))
  t.true(dotenv.err.includes(login))

  const json = await run(['env', '--format=json', '--server', 'http://127.0.0.1:3'])
  t.is(json.err, '')
  t.like(JSON.parse(json.out), { SIDEMINT_SERVER: 'http://127.0.0.1:3' })
  t.like(JSON.parse(json.out), { GCE_METADATA_ROOT: '127.0.0.1:3', GOOGLE_APPLICATION_CREDENTIALS: null })

  const compose = await run(['env', '--format=compose', '--server', 'http://127.0.0.1:3'])
  t.is(
    compose.out,
    'GCE_METADATA_HOST: metadata.google.internal\nGCE_METADATA_IP: metadata.google.internal\nGCE_METADATA_ROOT: metadata.google.internal\n' +
      'METADATA_SERVER_DETECTION: assume-present\nSIDEMINT_SERVER: http://metadata.google.internal\nNO_PROXY: metadata.google.internal,169.254.169.254\nno_proxy: metadata.google.internal,169.254.169.254\n',
  )
})

test('a dotenv file holds odd values as Node.js reads them back', async (t) => {
  for (const odd of [
    'a b',
    'say "hi"',
    '$HOME $(id) `id`',
    'C:\\Users\\me',
    "it's",
    "it's $HOME \\$HOME",
    "it's C:\\me",
    `it's "$HOME"`,
    'a #b',
    'a=b',
    'münchen',
    'a\tb',
    'a\nb',
  ]) {
    const { code, out } = await run(['env', '--format=dotenv'], { CLOUDSDK_CONFIG: odd })
    t.is(code, 0)
    t.is(parseEnv(out).SIDEMINT_HOST_CLOUDSDK_CONFIG, odd)
  }
})

test('an unknown format is misuse, and the known ones are named', async (t) => {
  const { code, err } = await run(['env', '--format=toString'])
  t.is(code, 2)
  t.regex(err, /--format: must be shell, fish, powershell, dotenv, compose, json/)
})

test('a home that cannot be written to is said with its path', async (t) => {
  const HOME = join(scratch, 'a-file')
  writeFileSync(HOME, '')
  const { code, out, err } = await run(['env'], { HOME })
  t.is(code, 1)
  t.is(out, '')
  t.regex(
    err,
    /^sidemint: DIRECTORY_UNUSABLE: .*a-file\/\.cache\/sidemint\/cloudsdk\/127\.0\.0\.1-16925 \(ENOTDIR\)\. Fix: [^\n]+\n$/,
  )
})
