import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { startSidemint } from '../../src/index.ts'
import { run } from '../commands/run.ts'
import { tools } from '../doctor/compose/tools.ts'

/** What a service does before a call: the project as the library finds it, and a token. */
const ASK = `
  import { GoogleAuth } from 'google-auth-library'
  const auth = new GoogleAuth()
  const client = await auth.getIdTokenClient('https://ledger.example')
  const headers = await client.getRequestHeaders()
  console.log(await auth.getProjectId(), headers.get('authorization').split('.').length)`

test("Google's library for Node.js under `env` makes one request for a token, and does not run gcloud", async (t) => {
  await using metadata = await startSidemint({ project: 'acme-dev' })
  const HOME = mkdtempSync(join(tmpdir(), 'sidemint-home-'))
  t.teardown(() => rmSync(HOME, { recursive: true, force: true }))
  const calls = join(HOME, 'calls')
  const PATH = tools(t, { gcloud: `echo "$*" >> ${calls}; exit 1` })
  const { out } = await run(['env', '--format=json', '--server', metadata.url], { HOME })
  const printed: Record<string, string> = Object.fromEntries(
    Object.entries<string>(JSON.parse(out)).filter(([, value]) => value !== null),
  )
  const ask = async (env: NodeJS.ProcessEnv) => {
    const argv = ['--input-type=module', '-e', ASK]
    const options = { env: { HOME, PATH, ...env }, cwd: import.meta.dirname }
    return (await promisify(execFile)(process.execPath, argv, options)).stdout
  }
  t.is(await ask(printed), 'acme-dev 3\n')
  t.false(existsSync(calls), 'gcloud')
  t.is(metadata.requests.length, 1)
  t.like(metadata.requests, [{ kind: 'id', audience: 'https://ledger.example', result: 'mint' }])

  const { GOOGLE_CLOUD_PROJECT: _, ...without } = printed
  await ask(without)
  t.regex(readFileSync(calls, 'utf8'), /config config-helper/, 'it would without the project')
})
