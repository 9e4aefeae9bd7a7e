/** What a user gets: the packed tarball in an empty project, under import, require, TypeScript and Jest. */

import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { startFakeGoogle } from '../google/start.ts'

const run = promisify(execFile)
const project = mkdtempSync(join(tmpdir(), 'sidemint-package-'))
const example = new URL('../../examples/test-api/', import.meta.url).pathname
let packed: { filename: string; files: { path: string }[] }

test.before('pack, and install into an empty project', () => {
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
        !/^(dist\/(cli|index)\.js|dist\/index\.d\.ts|dist\/(package\.json|THIRD-PARTY\.txt)|dist\/chunks\/\w+\.js|package\.json|README\.md|LICENSE)$/.test(
          path,
        ),
    ),
    [],
  )
  for (const needed of ['dist/cli.js', 'dist/index.js', 'dist/index.d.ts', 'README.md', 'LICENSE'])
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

test.serial('the example of the test API passes under Jest as it comes', async (t) => {
  t.timeout(240_000)
  for (const file of readdirSync(example).filter((name) => name.endsWith('.js')))
    cpSync(join(example, file), join(project, file))
  const { devDependencies } = JSON.parse(readFileSync(join(example, 'package.json'), 'utf8'))
  const wanted = ['jest', 'jsonwebtoken'].map((name) => `${name}@${devDependencies[name]}`)
  await run('npm', ['install', '--no-audit', '--no-fund', ...wanted], { cwd: project })
  const { stderr } = await run(join(project, 'node_modules', '.bin', 'jest'), [], { cwd: project })
  t.regex(stderr, /Tests: +4 passed, 4 total/)
})
