/** `sidemint exec` as the README shows it, with the examples, and gcloud itself. */

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { startSidemint } from '../../src/index.ts'
import { testWith } from './toolchain.ts'

const run = promisify(execFile)
const ROOT = new URL('../..', import.meta.url).pathname
const CLI = join(ROOT, 'src/cli.ts')
const scratch = mkdtempSync(join(tmpdir(), 'sidemint-clients-'))

test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

/** Where a developer has logged in, which is no reason to ask Google in a test. */
const HOME = join(scratch, 'home')
const GCLOUD = join(HOME, '.config', 'gcloud')
mkdirSync(GCLOUD, { recursive: true })
const LOGIN = { type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: 'r' }
writeFileSync(join(GCLOUD, 'application_default_credentials.json'), JSON.stringify(LOGIN))

const exec = (command: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}) =>
  run(process.execPath, [CLI, 'exec', '--', ...command], {
    cwd,
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', HOME, ...env },
  })

testWith(
  ['python3'],
  'sidemint exec -- pytest: google-auth gets ID tokens and default credentials, and a fixture orders faults',
  async (t) => {
    t.timeout(240_000)
    const venv = join(scratch, 'venv')
    await run('python3', ['-m', 'venv', venv])
    await run(join(venv, 'bin', 'pip'), ['install', '--quiet', '-r', join(ROOT, 'examples/pytest/requirements.txt')])
    const { stdout } = await exec(
      [join(venv, 'bin', 'pytest'), '-p', 'no:cacheprovider'],
      join(ROOT, 'examples/pytest'),
    )
    t.regex(stdout, /4 passed/)
  },
)

testWith(['go'], 'sidemint exec -- go test: the Go library gets an ID token', async (t) => {
  t.timeout(480_000)
  const { stdout: caches } = await run('go', ['env', '-json', 'GOCACHE', 'GOMODCACHE'])
  const { stdout } = await exec(['go', 'test', '-count=1', './...'], join(ROOT, 'examples/go-test'), JSON.parse(caches))
  t.regex(stdout, /^ok\s/m)
})

testWith(['gcloud'], 'gcloud auth print-identity-token --audiences takes its token from the server', async (t) => {
  t.timeout(120_000)
  await using metadata = await startSidemint({ serviceAccount: 'orders@acme-dev.iam.gserviceaccount.com' })
  const env = { ...process.env, ...metadata.env }
  const { stdout } = await run('gcloud', ['auth', 'print-identity-token', '--audiences=https://a.example'], { env })
  t.is(readClaims(stdout.trim())?.aud, 'https://a.example')
  t.is(readClaims(stdout.trim())?.iss, metadata.issuer)
})
