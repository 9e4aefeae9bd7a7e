/** docs/receivers.md, "A receiver in the IDE": its lines as they stand, where /etc is a copy of this machine's. */

import { execFile, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { DEFAULT_ACCOUNT } from '../http-client.ts'
import { blocksOf } from '../readme/blocks.ts'
import { hold, type Network } from '../receivers/network.ts'
import { KINDS, startReceiver } from '../receivers/receiver.ts'
import { AUDIENCE } from '../receivers/server.ts'
import { createStack, ROOT, startEngine } from './docker.ts'

const run = promisify(execFile)

const scratch = mkdtempSync(join(tmpdir(), 'sidemint-ide-receiver-'))
const directory = join(scratch, 'stand-in')
const blocks = blocksOf(ROOT, 'docs/receivers.md')

/** The one block that holds the text. */
function lineWith(text: string, page = blocks): string {
  const found = page.filter((block) => block.text.includes(text))
  if (found.length !== 1) throw new Error(`${found.length} blocks with ${text}`)
  return found[0]?.text ?? ''
}

const file = join(scratch, 'compose.ide-receiver.yaml')
writeFileSync(file, lineWith('127.0.0.7:443:443').replace('./stand-in', directory))
const stack = createStack('sidemint-test-ide-receiver', { files: ['docker-compose.portable.yml', file] })

let etc: Awaited<ReturnType<typeof hold>>
/** Whoever types has the rights already. */
const type = async (lines: string) => {
  const [command = '', ...args] = etc.enter(['sh', '-c', `set -e; sudo() { "$@"; }; cd '${scratch}'; ${lines}`])
  return (await run(command, args)).stdout
}

test.before('a stack, and an /etc of our own', async () => {
  await startEngine()
  await stack.down()
  etc = await hold(['mount'], `cp -a /etc '${scratch}/etc' && mount --bind '${scratch}/etc' /etc`)
  await type(lineWith('chown 65532').split('\n')[0] ?? '')
  await stack.compose('up', '--build', '--wait', 'sidemint')
})

test.after.always(async () => {
  await stack.down()
  await etc?.leave()
  rmSync(scratch, { recursive: true, force: true })
})

async function askToken(audience: string): Promise<string> {
  const address = await stack.compose('port', 'sidemint', '16926')
  const url = `http://${address}${DEFAULT_ACCOUNT}/identity?format=full&audience=${encodeURIComponent(audience)}`
  return (await fetch(url, { headers: { 'Metadata-Flavor': 'Google' } })).text()
}

/** The receiver of the page, as an IDE starts it on this machine. */
async function startOnHost() {
  const [kind] = KINDS.filter(({ title }) => title === 'Node.js, google-auth-library 11')
  if (kind === undefined) throw new Error('no such receiver')
  const start: Network['start'] = (command, env) => {
    const [program = '', ...args] = etc.enter(command)
    return spawn(program, args, { env: { PATH: process.env.PATH, ...env } })
  }
  return startReceiver(kind, { start } as Network, { directory })
}

const HOSTS = join(scratch, 'etc/hosts')
const TRUSTED = 'https://www.googleapis.com/oauth2/v3/certs'

test.serial('with the line in the hosts file it verifies, and what does not trust the certificate fails', async (t) => {
  t.timeout(120_000)
  cpSync(HOSTS, join(scratch, 'before'))
  await type(lineWith("echo '127.0.0.7 www"))
  const receiver = await startOnHost()
  t.teardown(receiver.close)
  const { accepted, refused } = await receiver.verify(await askToken(AUDIENCE))
  t.like(accepted, { iss: 'https://accounts.google.com', email: 'orders@acme-dev.iam.gserviceaccount.com' }, refused)
  t.regex((await receiver.verify(await askToken('https://other.example'))).refused ?? 'taken', /Wrong recipient/)
  await t.throwsAsync(type(`curl --silent ${TRUSTED}`), { code: 60 })
})

test.serial('undone, the hosts file is as it was', async (t) => {
  t.notDeepEqual(readFileSync(HOSTS), readFileSync(join(scratch, 'before')))
  await type(lineWith('sed -i.bak'))
  t.deepEqual(readFileSync(HOSTS), readFileSync(join(scratch, 'before')))
})

test.serial('the line of docs/ide.md gives a name of the stack the address of this machine', async (t) => {
  await type(lineWith("echo '127.0.0.1 billing'", blocksOf(ROOT, 'docs/ide.md')))
  t.regex(await type('getent ahostsv4 billing'), /^127\.0\.0\.1 /)
})
