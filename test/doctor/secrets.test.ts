import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { RECORDED, tools } from './compose/tools.ts'
import { doctor, workInEmptyDirectory } from './doctor.ts'

test.after.always(workInEmptyDirectory())

const DIRECTORY = join(import.meta.dirname, 'compose')
const FILE = join(DIRECTORY, 'secrets.yml')
const ENV = { HUNTER: 'hunter2-shell', SIDEMINT_PORT: '0' }

/** Runs doctor both ways, and returns all that it wrote. */
async function say(t: ExecutionContext, file: string, env: NodeJS.ProcessEnv, piped = ''): Promise<string> {
  const flags = ['--compose', file]
  const outcomes = await Promise.all([
    doctor(t, flags, { ...ENV, ...env }, piped),
    doctor(t, [...flags, '--json'], { ...ENV, ...env }, piped),
  ])
  return outcomes.map(({ stdout, stderr }) => stdout + stderr).join('')
}

/** Whoever looked at the services says what is wrong with them. */
function saysMuchButNoSecret(t: ExecutionContext, said: string): void {
  t.regex(said, /orders +GCE_METADATA_HOST is http:\/\/sidemint/)
  t.regex(said, /orders +GOOGLE_APPLICATION_CREDENTIALS is set, so/)
  t.regex(said, /key +GOOGLE_APPLICATION_CREDENTIALS is set, so/)
  t.regex(said, /HTTPS_PROXY is set/)
  t.notRegex(said, /hunter2|eyJwcml2YXRl/)
}

test('no value of a variable, argument, label or command of a stack is said, as Compose prints it', async (t) => {
  t.is(readFileSync(join(DIRECTORY, 'recorded', 'secrets.json'), 'utf8').match(/hunter2/g)?.length, 18)
  saysMuchButNoSecret(t, await say(t, FILE, { PATH: tools(t, { docker: RECORDED }) }))
})

test('nor where the file is read without Compose', async (t) => {
  saysMuchButNoSecret(t, await say(t, FILE, { PATH: '/nonexistent' }))
})

test('nor where it is piped', async (t) => {
  const piped = readFileSync(join(DIRECTORY, 'recorded', 'secrets.json'), 'utf8')
  saysMuchButNoSecret(t, await say(t, '-', { PATH: '/nonexistent' }, piped))
})

test('nor where Compose refuses the file, nor where it is no YAML', async (t) => {
  const docker = 'echo "invalid spec hunter2" >&2; echo hunter2; exit 15'
  const refused = await say(t, FILE, { PATH: tools(t, { docker }) })
  t.regex(refused, /COMPOSE_FILE_UNUSABLE/)
  t.notRegex(refused, /hunter2/)
  for (const broken of [
    'services:\n  a:\n    environment:\n      A: "x" hunter2',
    'services: { a: { environment: { A: *hunter2 } } }'.replace('*hunter2', '"hunter2'),
    'services:\n  a: hunter2\n   b: hunter2: x\n',
    'services: [hunter2\n"hunter2": x',
    '{"services": {"a": {"environment": {"A": "hunter2}}}',
    'services:\n  a:\n    environment:\n\tA: hunter2\n',
    'services: }hunter2',
    'services:\n  a:\n    environment:\n      A: |hunter2\n',
    'services:\n  a:\n    environment:\n      A: >2 hunter2\n',
    'services:\n  a: !hunter2!x y\n',
    'A: hunter2\nA: hunter2\n%hunter2\n- hunter2 }',
  ]) {
    const said = await say(t, '-', { PATH: '/nonexistent' }, broken)
    t.regex(said, /COMPOSE_FILE_UNUSABLE/, broken)
    t.notRegex(said, /hunter2/, broken)
  }
})
