/** doctor with the Docker Compose of this machine; `config` needs no engine. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { matches } from '../doctor/compose/findings.ts'
import { TABLE } from '../doctor/compose/table.ts'
import { tools } from '../doctor/compose/tools.ts'
import { doctor, findings, inAProcess } from '../doctor/doctor.ts'
import { ROOT, startEngine } from './docker.ts'

const FILES = join(import.meta.dirname, '..', 'doctor', 'compose')
const FREE = ['--port', '0', '--source', 'local']

test.before(startEngine)

/** Docker of this machine, where a test names no other. */
const { PATH: OURS } = process.env

const NOT_OF_A_STACK = ['version', 'source', 'ADC', 'network', 'default', 'port', 'shell', 'alias']

/** What is found in the stack, by doctor in a process of its own. */
async function look(t: ExecutionContext, flags: string[], env: NodeJS.ProcessEnv = {}, directory?: string) {
  const runner: typeof inAProcess = (argv, all, piped, home) => inAProcess(argv, all, piped, directory ?? home)
  const { all } = await findings(t, [...FREE, ...flags], { PATH: OURS, ...env }, runner)
  return all.filter(({ check }) => !NOT_OF_A_STACK.includes(check))
}

for (const [name, { shows, rows }] of Object.entries(TABLE)) {
  test.serial(`${name}.yml: ${shows}`, async (t) => {
    matches(t, await look(t, ['--compose', join(FILES, `${name}.yml`)], { HOME: '/home/ann' }), rows)
  })
}

for (const name of ['docker-compose.yml', 'docker-compose.portable.yml']) {
  test.serial(`our own ${name} is clean`, async (t) => {
    const found = await look(t, ['--compose', join(ROOT, name)])
    t.true(found.some(({ check }) => check === 'compose:orders'))
    t.deepEqual(
      found.filter(({ status, what }) => status !== 'ok' && !/holds 169\.254\.169\.254 already/.test(what)),
      [],
    )
  })
}

test.serial('our own stack with real credentials is read from two files', async (t) => {
  const files = ['docker-compose.yml', 'docker-compose.google.yml'].flatMap((name) => ['--compose', join(ROOT, name)])
  const found = await look(t, files)
  t.true(found.some(({ check }) => check === 'compose:orders'))
  t.false(
    found.some(({ what }) => /uid 65532/.test(what)),
    'the second file says who the user is',
  )
})

const CLIENT = 'environment: { GCE_METADATA_HOST: "$TO", GCE_METADATA_IP: sidemint, GCE_METADATA_ROOT: sidemint }'

test.serial("the folder's stack is looked at, with its override file, .env, profiles and COMPOSE_FILE", async (t) => {
  const directory = folder(t, {
    'compose.yaml': `services: { app: { image: app, profiles: [all], ${CLIENT}, depends_on: [sidemint] } }`,
    'compose.override.yaml': 'services: { sidemint: { image: sidemint, ports: ["80:80"] } }',
    '.env': 'TO=http://sidemint',
    'other.yml': 'services: { other: { image: sidemint, ports: ["80:80"] } }',
  })
  const found = await look(t, [], {}, directory)
  t.like(
    found.map(({ check, status, what }) => [check, status, what.slice(0, 30)]),
    [
      ['compose:sidemint', 'fail', 'its port 80:80 is published on'],
      ['compose:app', 'fail', 'GCE_METADATA_HOST is http://si'],
      ['compose:app', 'warn', 'it may start before sidemint a'],
    ],
  )
  const other = await look(t, [], { COMPOSE_FILE: 'other.yml' }, directory)
  t.deepEqual(
    other.map(({ check }) => check),
    ['compose', 'compose:other'],
  )
})

test.serial('of a folder without a stack it is said that none was looked at', async (t) => {
  const found = await look(t, [], {}, folder(t, {}))
  t.is(found.length, 1)
  t.like(found[0], { check: 'compose', status: 'ok' })
  t.regex(found[0]?.what ?? '', /^no compose file is here, so no stack is looked at/)
})

test.serial('no value of a variable, argument, label or command of a stack is said', async (t) => {
  const flags = [...FREE, '--compose', join(FILES, 'secrets.yml')]
  for (const more of [[], ['--json']]) {
    const { stdout, stderr } = await doctor(t, [...flags, ...more], { PATH: OURS, HUNTER: 'hunter2-shell' })
    t.regex(stdout, /GCE_METADATA_HOST is http:\/\/sidemint/)
    t.notRegex(stdout + stderr, /hunter2|eyJwcml2YXRl/)
  }
})

test.serial('what docker compose config prints can be piped', async (t) => {
  const piped = readFileSync(join(FILES, 'recorded', 'addresses.json'), 'utf8')
  const { stdout } = await doctor(t, [...FREE, '--compose', '-'], { PATH: OURS }, piped)
  t.regex(stdout, /^FAIL {2}compose:misspelt/m)
})

test.serial('a docker that hangs is given up, and the file is read without it', async (t) => {
  const PATH = tools(t, { docker: 'exec sleep 100' })
  const startedAtMs = Date.now()
  const { stdout } = await doctor(t, [...FREE, '--compose', join(FILES, 'published.yml')], { PATH })
  t.true(Date.now() - startedAtMs < 25_000)
  t.regex(stdout, /`docker compose config` did not answer within 10 s, so \S+ is read as plain YAML/)
  t.regex(stdout, /^FAIL {2}compose:short/m)
})

function folder(t: ExecutionContext, files: Record<string, string>): string {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-stack-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  return directory
}
