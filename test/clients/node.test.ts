/** google-auth-library as it comes, in a process of its own, with nothing but variables. */

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { jwtVerify } from 'jose'
import { startSidemint } from '../../src/index.ts'
import { run as command } from '../commands/run.ts'
import { tools } from '../doctor/compose/tools.ts'
import { remoteKeys } from '../http-client.ts'

const run = promisify(execFile)
const ROOT = new URL('../..', import.meta.url).pathname
const AUDIENCE = 'https://a.run.app'

const THREE_LINES = `import { GoogleAuth } from 'google-auth-library'
const client = await new GoogleAuth().getIdTokenClient('${AUDIENCE}')
console.log((await client.getRequestHeaders()).get('authorization').slice(7))`
const REFUSED = `const refused = await new GoogleAuth().getIdTokenClient('https://b.example')
await refused.getRequestHeaders().catch(({ message }) => console.log(message))`
/** Where no variable names a project, the library runs gcloud for seconds (docs/wire.md, "Variables"). */
const ENV = { ...process.env, GOOGLE_CLOUD_PROJECT: 'acme-dev' }

/** A user's login in HOME, as gcloud writes it: clients must not prefer it to the server. */
function homeWithLogin(): string {
  const home = mkdtempSync(join(tmpdir(), 'sidemint-home-'))
  const directory = join(home, '.config', 'gcloud')
  mkdirSync(directory, { recursive: true })
  const login = { type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: 'r' }
  writeFileSync(join(directory, 'application_default_credentials.json'), JSON.stringify(login))
  return home
}

test("three lines with google-auth-library get a token that verifies by discovery, also beside a login in HOME, and read a refusal's code and fix", async (t) => {
  const serviceAccount = 'orders@acme-dev.iam.gserviceaccount.com'
  await using metadata = await startSidemint({ serviceAccount, allowAudience: ['https://*.run.app'] })
  const home = homeWithLogin()
  t.teardown(() => rmSync(home, { recursive: true, force: true }))
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', `${THREE_LINES}\n${REFUSED}`], {
    env: { ...ENV, HOME: home, ...metadata.env },
    cwd: ROOT,
  })
  const [token = '', refusal = ''] = stdout.split('\n')
  const keys = remoteKeys(metadata.jwksUri)
  const { payload } = await jwtVerify(token, keys, { issuer: metadata.issuer, audience: AUDIENCE })
  t.is(payload.email, serviceAccount)
  t.regex(refusal, /Could not fetch ID token: .*AUDIENCE_NOT_ALLOWED.*https:\/\/b\.example.*--allow-audience/)
})

test('the lines that `sidemint env` prints for a shell do the same, with one request for a token and without gcloud', async (t) => {
  await using metadata = await startSidemint({ project: 'acme-dev' })
  const HOME = homeWithLogin()
  t.teardown(() => rmSync(HOME, { recursive: true, force: true }))
  const calls = join(HOME, 'calls')
  const PATH = tools(t, { gcloud: `echo "$*" >> ${calls}; exit 1` })
  const asked = `import { existsSync } from 'node:fs'
    import { env } from 'node:process'
    const called = () => existsSync('${calls}')
    console.log(await new GoogleAuth().getProjectId(), called())
    delete env.GOOGLE_CLOUD_PROJECT
    await new GoogleAuth().getProjectId()
    console.log(called())`
  const printed = await command(['env', '--server', metadata.url], { HOME })
  const script = `${printed.out}\nexec "$0" --input-type=module -e "$1"`
  const argv = ['-c', script, process.execPath, `${THREE_LINES}\n${asked}`]
  const { stdout } = await run('/bin/sh', argv, { cwd: ROOT, env: { HOME, PATH } })
  const [token, ...lines] = stdout.split('\n')
  t.is(token?.split('.').length, 3)
  t.deepEqual(lines, ['acme-dev false', 'true', ''], 'without the project it would run gcloud')
  t.like(metadata.requests, [{ kind: 'id', audience: AUDIENCE, result: 'mint' }])
  t.is(metadata.requests.length, 1)
})
