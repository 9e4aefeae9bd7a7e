/** One scenario of a test suite in four languages, by their standard libraries, with a server in a container of the image. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import test from 'ava'
import { testWith } from '../clients/toolchain.ts'
import { docker, startEngine } from '../compose/docker.ts'

const NAME = 'sidemint-test-scenario'
const SECRET = 'correct-horse-battery'
const ACCOUNT = 'orders@acme-dev.iam.gserviceaccount.com'
const BILLING = 'https://billing.example'

const SEEN = `1 issue for an audience: ${BILLING} eve@evil.example -10
2 issue for a user: ann@acme.example acme.example
3 ask: 200 ${BILLING} ${ACCOUNT}
4 fail next: 503 INJECTED late, 200, 503 INJECTED late, 200, no answer
5 reset: requests 6, calls 0, grants 0, failures 3, tokens 2, then 200
6 requests: ${BILLING} mint 200, ${BILLING} hit 200
7 delete requests: 0
8 rotate: both keys are published, the new one signs`.split('\n')

const LANGUAGES: readonly (readonly [name: string, command: string, ...arguments: string[]])[] = [
  ['Python', 'python3', 'scenario.py'],
  ['Go', 'go', 'run', 'scenario.go'],
  ['Java', 'java', 'Scenario.java'],
  ['Node.js', 'node', 'scenario.mjs'],
]

let server = ''

test.before('start a container of the image', async (t) => {
  t.timeout(300_000)
  await startEngine()
  await docker('build', '--tag', NAME, '.')
  await docker('rm', '--force', NAME)
  const settings = [`SIDEMINT_CONTROL_SECRET=${SECRET}`, `SIDEMINT_SERVICE_ACCOUNT=${ACCOUNT}`, 'SIDEMINT_SOURCE=local']
  const variables = settings.flatMap((setting) => ['--env', setting])
  await docker('run', '--detach', '--name', NAME, '--publish', '127.0.0.1:0:80', ...variables, NAME)
  server = `http://${await docker('port', NAME, '80')}`
  const isUp = () =>
    fetch(`${server}/_sidemint/health`).then(
      ({ ok }) => ok,
      () => false,
    )
  while (!(await isUp())) await sleep(100)
})

test.after.always(async () => {
  await docker('rm', '--force', NAME)
  await docker('rmi', '--force', NAME)
})

for (const [language, command, ...argv] of LANGUAGES) {
  testWith([command], `a suite in ${language} issues, asks, orders failures, resets, reads and rotates`, async (t) => {
    const { stdout } = await promisify(execFile)(command, argv, {
      cwd: join(import.meta.dirname, 'scenario'),
      env: { ...process.env, SIDEMINT_SERVER: server, SIDEMINT_CONTROL_SECRET: SECRET },
    })
    t.deepEqual(stdout.trim().split('\n'), SEEN)
  })
}
