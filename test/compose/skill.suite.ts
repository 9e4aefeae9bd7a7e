/** skills/sidemint/SKILL.md as an agent follows it: each command and the override file, as they stand. */

import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { parse } from 'yaml'
import { readClaims } from '../../src/core/token.ts'
import { ROOT, startEngine } from './docker.ts'

const skill = readFileSync(join(ROOT, 'skills/sidemint/SKILL.md'), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'sidemint-skill-'))
const app = join(folder, 'app')

const blocks = (language: string) =>
  [...skill.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, text]) => String(text))

const ASK = `fetch('http://' + (process.env.GCE_METADATA_HOST ?? 'metadata.google.internal') +
  '/computeMetadata/v1/instance/service-accounts/default/identity?audience=https://billing.example&format=full',
  { headers: { 'Metadata-Flavor': 'Google' } })`

/** What a command of the shell prints in the user's project, with the clone's `bin` and without anybody's login. Throws where its code is not 0. */
async function type(line: string): Promise<string> {
  const PATH = `${join(folder, 'sidemint/bin')}:${process.env.PATH}`
  const compose = { COMPOSE_PROJECT_NAME: 'sidemint-test-skill', COMPOSE_PROGRESS: 'quiet' }
  const env = { ...process.env, ...compose, PATH, HOME: folder }
  const { stdout } = await promisify(execFile)('sh', ['-c', line], { cwd: app, env })
  return stdout
}

test.before('a project with a stack and a test suite, beside the clone', async () => {
  await startEngine()
  mkdirSync(app, { recursive: true })
  symlinkSync(ROOT.replace(/\/$/, ''), join(folder, 'sidemint'))
  writeFileSync(join(app, 'suite.mjs'), `process.exitCode = (await ${ASK}).status === 200 ? 0 : 1\n`)
  writeFileSync(join(app, 'package.json'), '{ "private": true, "scripts": { "test": "node suite.mjs" } }\n')
  const orders = { image: 'node:24-bookworm-slim', init: true, command: ['node', '-e', 'setInterval(() => {}, 1000)'] }
  writeFileSync(join(app, 'compose.yaml'), JSON.stringify({ services: { orders } }))
  writeFileSync(join(app, 'compose.override.yaml'), String(blocks('yaml')[0]))
})

test.after.always(async () => {
  await type('docker compose down --volumes --rmi local --timeout 2')
  rmSync(folder, { recursive: true, force: true })
})

test.serial('each command works as it stands, in their order', async (t) => {
  t.timeout(300_000)
  const lines = blocks('sh').flatMap((block) => block.trim().split('\n'))
  t.true(lines.length >= 7)
  for (const line of lines) {
    const printed = await type(line)
    t.log(line)
    if (line.includes('--claims')) t.is(JSON.parse(printed).aud, 'https://billing.example')
    if (line.includes('--json'))
      t.deepEqual(
        JSON.parse(printed).filter(({ status }: { status: string }) => status === 'fail'),
        [],
      )
    if (line.startsWith('sidemint doctor')) t.regex(printed, /orders/)
  }
})

test.serial('with its override file a service gets tokens, and the log names it', async (t) => {
  const ask = `${ASK}.then((answer) => answer.text()).then(console.log)`
  const token = await type(`docker compose exec -T orders node -e "${ask.replaceAll('\n', ' ')}"`)
  t.is(readClaims(token.trim())?.aud, 'https://billing.example')
  t.regex(await type('docker compose logs sidemint'), /orders.* -> https:\/\/billing\.example/)
})

test('its front matter is what agents look for', (t) => {
  const { name, description } = parse(String(/^---\n([\s\S]*?)\n---\n/.exec(skill)?.[1]))
  t.is(name, 'sidemint')
  t.true(description.length > 100 && description.length <= 1024)
})
