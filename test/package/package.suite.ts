/** What a user gets: from the packed tarball, from a git URL and from a clone, on the oldest Node.js and on one that is too old. */

import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { build } from 'esbuild'
import { startFakeGoogle } from '../google/start.ts'

const run = promisify(execFile)
const project = mkdtempSync(join(tmpdir(), 'sidemint-package-'))
const ROOT = new URL('../..', import.meta.url).pathname
/** What is committed: what git gives to npm too. */
const clone = join(project, 'clone')
let packed: { filename: string; files: { path: string }[] }

test.before('clone, pack, and install into an empty project', () => {
  execFileSync('git', ['clone', '--quiet', '--depth=1', `file://${ROOT}`, clone])
  const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts=false', '--pack-destination', project], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  packed = JSON.parse(output.slice(output.search(/^\[/m)))[0]
  writeFileSync(join(project, 'package.json'), '{ "name": "consumer", "private": true }')
  const tarball = join(project, packed.filename)
  execFileSync('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: project, stdio: 'pipe' })
})

test.after.always(() => rmSync(project, { recursive: true, force: true }))

test.serial('the tarball holds what runs, and no sources, tests or maps', (t) => {
  const paths = packed.files.map(({ path }) => path)
  t.log(paths.join('\n'))
  t.deepEqual(
    paths.filter(
      (path) =>
        !/^(dist\/(cli|index)\.js|dist\/index\.d\.ts|dist\/(package\.json|THIRD-PARTY\.txt|sbom\.cdx\.json|sidemint\.schema\.json)|dist\/chunks\/\w+\.js|package\.json|README\.md|LICENSE)$/.test(
          path,
        ),
    ),
    [],
  )
  for (const needed of [
    'dist/cli.js',
    'dist/index.js',
    'dist/index.d.ts',
    'dist/sidemint.schema.json',
    'README.md',
    'LICENSE',
  ])
    t.true(paths.includes(needed))
})

test.serial('it brings nothing else into node_modules, no Node.js of ours either', (t) => {
  t.deepEqual(
    readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')),
    ['sidemint'],
  )
  t.deepEqual(readdirSync(join(project, 'node_modules', '.bin')), ['sidemint'])
})

test.serial('the command mints from Google through a proxy, whose agent is loaded lazily by a library', async (t) => {
  await using google = await startFakeGoogle()
  const key = google.write('key.json', await google.serviceAccountKey('orders@acme-dev.iam.gserviceaccount.com'))
  const { stdout } = await run(
    join(project, 'node_modules', '.bin', 'sidemint'),
    ['token', '--audience', 'https://a.example', '--source', 'google', '--claims'],
    { env: { ...process.env, ...google.env, GOOGLE_APPLICATION_CREDENTIALS: key } },
  )
  t.is(JSON.parse(stdout).aud, 'https://a.example')
  t.is(google.count({ host: 'oauth2.googleapis.com' }), 1)
})

test.serial('the command runs', async (t) => {
  const { stdout } = await run(join(project, 'node_modules', '.bin', 'sidemint'), [
    'token',
    '--audience',
    'https://a.example',
    '--claims',
    '--source',
    'local',
  ])
  t.is(JSON.parse(stdout).aud, 'https://a.example')
})

for (const [how, file, load] of [
  ['import', 'use.mjs', "import { startSidemint } from 'sidemint'"],
  ['require', 'use.cjs', "const { startSidemint } = require('sidemint')"],
] as const) {
  test.serial(`the library works with ${how}, its lazily loaded parts included`, async (t) => {
    writeFileSync(
      join(project, file),
      `${load}
      startSidemint({ serviceAccount: 'a@b.example' }).then(async (metadata) => {
        const certificates = await (await fetch(metadata.url + '/oauth2/v1/certs')).json()
        console.log(Object.values(certificates)[0].split('\\n')[0])
        await metadata.close()
      })`,
    )
    const { stdout } = await run(process.execPath, [file], { cwd: project })
    t.is(stdout.trim(), '-----BEGIN CERTIFICATE-----')
  })
}

const installed = new Map<string, Promise<string>>()

/** A project of its own with that version of a package of the registry; its directory. Each is installed once. */
function install(name: string, version: string): Promise<string> {
  const directory = join(project, `${name}-${version}`)
  const known = installed.get(directory) ?? installInto(directory, `${name}@${version}`)
  installed.set(directory, known)
  return known
}

async function installInto(directory: string, wanted: string): Promise<string> {
  mkdirSync(directory)
  writeFileSync(join(directory, 'package.json'), '{ "private": true, "allowScripts": { "node": true } }')
  await run('npm', ['install', '--no-save', '--no-audit', '--no-fund', wanted], { cwd: directory })
  return directory
}

/** A Node.js of that version. */
const installNode = async (version: string) =>
  join(await install('node', version), 'node_modules', 'node', 'bin', 'node')

const TOO_OLD = '20.20.2'
const OLDEST = '22.20.0'
const REFUSAL = 'sidemint needs Node.js 22.20 or later, this is 20.20'

const CLI = join(project, 'node_modules', 'sidemint', 'dist', 'cli.js')

test.serial(
  'an older Node.js is told which one is needed, and nothing else, by the command and the library',
  async (t) => {
    t.timeout(240_000)
    const node = await installNode(TOO_OLD)
    for (const argv of [[], ['--version'], ['token', '--audience=a']]) {
      const refused = await t.throwsAsync(run(node, [CLI, ...argv]))
      t.like(refused, { code: 1, stdout: '', stderr: `${REFUSAL}\n` })
    }
    for (const [type, load] of [
      ['commonjs', "require('sidemint')"],
      ['commonjs', "import('sidemint')"],
      ['module', "import 'sidemint'"],
    ]) {
      const refused = await t.throwsAsync(run(node, [`--input-type=${type}`, '--eval', String(load)], { cwd: project }))
      const { stderr } = refused as unknown as { stderr: string }
      t.deepEqual(stderr.match(/\w*Error: [^\]\n]*/g), [`Error: ${REFUSAL}`])
      t.notRegex(stderr, /^ +at /m, 'no stack trace')
    }
    const caught = `try { require('sidemint') } catch (error) { console.log(error.message) }`
    t.is((await run(node, ['--eval', caught], { cwd: project })).stdout, `${REFUSAL}\n`)
  },
)

/** Starts a command that serves, and answers its first record. */
async function serving(t: ExecutionContext, node: string, argv: readonly string[]) {
  const child: ChildProcess = spawn(node, [CLI, ...argv, '--log-format=json'], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  for await (const line of createInterface({ input: child.stderr as NonNullable<typeof child.stderr> })) {
    const record = JSON.parse(line)
    if (record.event === 'start') return record
    throw new Error(line)
  }
}

test.serial('on the oldest Node.js that is supported the command serves, mints and gates', async (t) => {
  t.timeout(240_000)
  const node = await installNode(OLDEST)
  const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
  const served = await serving(t, node, ['serve', '--port=0', '--source=local', '--service-account', EMAIL])
  const minted = await run(node, [CLI, 'token', '--audience=https://a.example', '--server', served.url])

  const service = http.createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  t.teardown(() => service.close())
  await once(service, 'listening')
  const upstream = `http://127.0.0.1:${(service.address() as AddressInfo).port}`
  const gate = ['gate', '--port=0', '--admin-port=0', '--upstream', upstream, '--audience=https://a.example']
  const gated = await serving(t, node, [...gate, `--invoker=serviceAccount:${EMAIL}`, '--trust', served.url])
  const call = async (headers: Record<string, string>) => (await fetch(gated.urls[0], { headers })).status
  t.is(await call({}), 403)
  t.is(await call({ Authorization: `Bearer ${minted.stdout.trim()}` }), 200)

  const curl = ['curl', '--server', served.url, '--audience=https://a.example', gated.urls[0], '--silent']
  t.is((await run(node, [CLI, ...curl])).stdout, 'hello')
  for (const file of ['use.mjs', 'use.cjs']) {
    t.is((await run(node, [file], { cwd: project })).stdout.trim(), '-----BEGIN CERTIFICATE-----', file)
  }
})

test.serial('a settings file is read by the packed command', async (t) => {
  writeFileSync(join(project, 'wrong.yaml'), 'prot: 1\n')
  const error = await t.throwsAsync(
    run(join(project, 'node_modules', '.bin', 'sidemint'), ['--config', 'wrong.yaml'], { cwd: project }),
  )
  t.regex((error as unknown as { stderr: string }).stderr, /wrong\.yaml: prot: unknown setting \(did you mean port\?\)/)
})

test.serial('TypeScript sees the types as a module and as CommonJS', async (t) => {
  const use = `const settled: Promise<Sidemint> = startSidemint({ serviceAccount: 'a@b.example', platform: 'gce' })
    export const use = settled.then(async (metadata: Sidemint) => { await metadata.close(); return metadata.requests[0]?.audience })
    // @ts-expect-error an unknown setting
    startSidemint({ prot: 1 })`
  writeFileSync(join(project, 'use.mts'), `import { type Sidemint, startSidemint } from 'sidemint'\n${use}`)
  writeFileSync(join(project, 'use.cts'), `import { type Sidemint, startSidemint } from 'sidemint'\n${use}`)
  const types = new URL('../../node_modules/@types', import.meta.url).pathname
  const options = [
    '--strict',
    '--noEmit',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--typeRoots',
    types,
    '--types',
    'node',
  ]
  await t.notThrowsAsync(
    run('tsc', [...options, 'use.mts', 'use.cts'], { cwd: project }).catch((error) =>
      Promise.reject(new Error(error.stdout)),
    ),
  )
})

test.serial('a resolver that knows no exports finds the library and its types', async (t) => {
  const directory = join(project, 'node_modules', 'sidemint')
  const { main, types, exports } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
  t.deepEqual([main, types], [exports['.'].default, exports['.'].types])
  // Node.js looks at main alone where the directory is named.
  const load = `console.log(typeof require(${JSON.stringify(directory)}).startSidemint)`
  t.is((await run(process.execPath, ['--eval', load], { cwd: tmpdir() })).stdout, 'function\n')
})

test.serial('the bill of materials and the notices name each package of the bundle, and no other', async (t) => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/cli.ts', 'src/index.ts', 'src/page/main.tsx'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    outdir: 'dist',
    bundle: true,
    format: 'esm',
    platform: 'node',
    alias: { '@koa/router': './node_modules/@koa/router/dist/index.js' },
    // What makes the page in a clone is not shipped.
    external: ['web-streams-polyfill', 'esbuild'],
    metafile: true,
    write: false,
    logLevel: 'error',
  })
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages
  const locked = Object.keys(lock).filter((path) =>
    Object.keys(metafile.inputs).some(
      (input) => input.startsWith(`${path}/`) && !input.slice(path.length).includes('/node_modules/'),
    ),
  )
  const wanted = locked
    .filter((path) => path !== '')
    .map((path) => `${path.split('node_modules/').at(-1)} ${lock[path].version}`)
  const dist = join(project, 'node_modules', 'sidemint', 'dist')
  const sbom = JSON.parse(readFileSync(join(dist, 'sbom.cdx.json'), 'utf8'))
  const listed = sbom.components.map(({ purl }: { purl: string }) =>
    decodeURIComponent(purl).replace(/^pkg:npm\/(.+)@/, '$1 '),
  )
  const [, ...notices] = readFileSync(join(dist, 'THIRD-PARTY.txt'), 'utf8').split(
    /^(?=\S+ \d+\.\d+\.\d+ \([\w.-]+\)\n\n)/m,
  )
  t.true(wanted.length > 50)
  t.deepEqual(listed.sort(), [...new Set(wanted)].sort())
  t.deepEqual(notices.map((notice) => notice.split(' (')[0]).sort(), listed)
  t.deepEqual(
    notices.filter((notice) => notice.length < 500),
    [],
  )
})

/** What a machine types on which this Node.js and this npm are installed. */
function shell(node: string, npm?: string) {
  const first = npm === undefined ? [] : [join(npm, 'node_modules', '.bin')]
  const PATH = [...first, dirname(node), process.env.PATH].join(delimiter)
  return (cwd: string, command: string, ...argv: readonly string[]) =>
    run(command, argv, { cwd, env: { ...process.env, PATH } })
}

const QUIET = ['--no-audit', '--no-fund', '--prefer-offline']

test('a clone of what is committed, on a Node.js that is too old: npm ci, npx, npm run, and the example', async (t) => {
  t.timeout(900_000)
  const type = shell(await installNode(TOO_OLD))
  await type(clone, 'npm', 'ci', ...QUIET)
  const claims = ['token', '--audience=https://a.example', '--source=local', '--claims']
  t.is(JSON.parse((await type(clone, 'npx', 'sidemint', ...claims)).stdout).aud, 'https://a.example')
  const { stdout } = await type(clone, 'npm', 'run', '--silent', 'sidemint', '--', ...claims)
  t.is(JSON.parse(stdout).aud, 'https://a.example')
  t.is((await type(clone, 'git', 'status', '--porcelain')).stdout, '')

  const example = join(clone, 'examples', 'test-api')
  await type(example, 'npm', 'install', ...QUIET)
  t.regex((await type(example, 'npm', 'test')).stderr, /Tests: +4 passed, 4 total/)
})

for (const { npm, node, flags } of [
  { npm: '10', node: TOO_OLD, flags: [] },
  { npm: '11', node: undefined, flags: [] },
  { npm: '12', node: undefined, flags: ['--allow-git=root'] },
]) {
  test(`npm ${npm} installs a git URL, and the command and the library work`, async (t) => {
    t.timeout(900_000)
    const here = join(project, `git-${npm}`)
    mkdirSync(here)
    writeFileSync(join(here, 'package.json'), '{ "name": "consumer", "private": true }')
    const installer = node === undefined ? process.execPath : await installNode(node)
    const type = shell(installer, await install('npm', npm))
    t.is((await type(here, 'npm', '--version')).stdout.split('.')[0], npm)
    await type(here, 'npm', 'install', ...QUIET, ...flags, `git+file://${clone}`)
    t.deepEqual(readdirSync(join(here, 'node_modules', '.bin')), ['sidemint'])

    const bin = join('node_modules', '.bin', 'sidemint')
    for (const runner of [await installNode(OLDEST), process.execPath]) {
      const asked = [bin, 'token', '--audience=https://a.example', '--source=local', '--claims']
      t.is(JSON.parse((await shell(runner)(here, runner, ...asked)).stdout).aud, 'https://a.example')
      const load = `import { startSidemint } from 'sidemint'; const m = await startSidemint(); console.log(m.issuer === m.url); await m.close()`
      t.is((await run(runner, ['--input-type=module', '--eval', load], { cwd: here })).stdout, 'true\n')
    }
    const refused = await t.throwsAsync(shell(await installNode(TOO_OLD))(here, bin, '--version'))
    t.like(refused, { code: 1, stdout: '', stderr: `${REFUSAL}\n` })
  })
}
