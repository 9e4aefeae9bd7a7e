/** docs/receivers.md, "A receiver without Docker": its lines as they stand, where /etc is a copy of this machine's. */

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { DEFAULT_ACCOUNT } from '../http-client.ts'
import { blocksOf } from '../readme/blocks.ts'
import { ROOT } from './installs.ts'
import { hold } from './network.ts'
import { codeOf } from './page.ts'
import { AUDIENCE } from './server.ts'

const run = promisify(execFile)
const scratch = mkdtempSync(join(tmpdir(), 'sidemint-without-docker-'))
test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

const MAIN = `import { verify } from './verify.js'
const url = \`http://\${process.env.GCE_METADATA_HOST}${DEFAULT_ACCOUNT}/identity?audience=\${process.env.AUDIENCE}\`
const token = await (await fetch(url, { headers: { 'Metadata-Flavor': 'Google' } })).text()
console.log('verified for', (await verify(token)).aud)
`

test('a test suite verifies tokens with the lines of the page, without a way out', async (t) => {
  t.timeout(60_000)
  const files = {
    'package.json': '{"type":"module","scripts":{"test":"node main.js"}}',
    'verify.js': codeOf('Node.js'),
    'main.js': MAIN,
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(scratch, name), text)
  symlinkSync(join(ROOT, 'node_modules'), join(scratch, 'node_modules'))
  const [block] = blocksOf(ROOT, 'docs/receivers.md').filter(({ text }) => text.includes('sidemint exec'))
  const etc = await hold(
    ['net', 'mount'],
    `ip link set lo up && cp -a /etc '${scratch}/etc' && mount --bind '${scratch}/etc' /etc`,
  )
  // Whoever types has the rights already.
  const typed = `set -e; sudo() { "$@"; }; sidemint() { '${process.execPath}' '${ROOT}/src/cli.ts' "$@"; }
    cd '${scratch}'; ${block?.text}`
  const variables = [`PATH=${process.env.PATH}`, `HOME=${scratch}`, `AUDIENCE=${AUDIENCE}`]
  const [command = '', ...args] = etc.enter(['env', '--ignore-environment', ...variables, 'sh', '-c', typed])
  try {
    const { stdout, stderr } = await run(command, args)
    t.regex(stdout, new RegExp(`^verified for ${AUDIENCE}$`, 'm'))
    t.notRegex(stderr, /Ignoring extra certs/)
  } finally {
    await etc.leave()
  }
})
