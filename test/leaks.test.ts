import test from 'ava'
import { settle } from '../src/config/layers.ts'
import { createEvents } from '../src/core/events.ts'
import { startServer } from '../src/server.ts'
import { runCli } from './command-line.ts'
import { run } from './commands/run.ts'
import { ask } from './http-client.ts'
import { openEvents } from './inspector/event-source.ts'
import { findLeak, plant } from './leaks.ts'

const encode = (data: object) => Buffer.from(JSON.stringify(data)).toString('base64url')
const token = (sub: string) => `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({ sub })}.${'s'.repeat(86)}`

const LEAKS: [what: string, text: string][] = [
  ['an ID token', `the token ${token('a')} was refused`],
  ['a head and a payload', token('a').replace(/\.s+$/, '')],
  ['a credential file in base64', Buffer.from('{"type":"authorized_user","client_id":"x"}').toString('base64')],
  ["Google's access token", '"value":"ya29.a0AfH6SMBx"'],
  ['our access token', 'sidemint-local-access-token.YWJj.ZGVm'],
  ['a refresh token', 'refresh_token=1//0gabcdef'],
  ['a client secret', 'GOCSPX-abcdef'],
  ['a private key', '-----BEGIN RSA PRIVATE KEY-----'],
  ['a query in a log line', 'orders → billing POST /pay?card=4111 403'],
  ['a query in a row', '{"path":"/pay?card=4111","count":1}'],
]
for (const [what, text] of LEAKS) test(`what is looked for is found: ${what}`, (t) => t.truthy(findLeak(text), text))

test('what servers say all the time is not taken for a leak', (t) => {
  for (const text of [
    'POST /pay 403 TOKEN_MISSING',
    '{"audience":"https://x.example/?a=1","path":"/pay","fp":"0a1b2c3d","kid":"local-0a1b2c3d4e5f6071"}',
    'Fix: curl "http://127.0.0.1:16925/computeMetadata/v1/?recursive=true"',
  ])
    t.is(findLeak(text), undefined)
})

test('a secret that a server keeps for its page is found there, in its answer and in its stream', async (t) => {
  // One that the record does not take out by itself.
  const leak = '-----BEGIN PRIVATE KEY----- of the page'
  const places = plant(leak)
  const events = createEvents()
  const server = await startServer({ settings: settle({ options: { port: 0, source: 'local' } }), env: {}, events })
  t.teardown(() => server.close())
  const stream = await openEvents(server.url)
  const asked = { kind: 'id', audience: leak, scopes: [], identity: '', caller: 'orders' } as const
  events.record({ type: 'request', at: Date.now(), ...asked, result: 'error', status: 400, reason: leak, tookMs: 0 })
  while (!places.includes('/_sidemint/events')) await stream.next()
  stream.close()
  await ask(server.url, '/_sidemint/requests')
  t.deepEqual(new Set(places), new Set(['a row of the page', '/_sidemint/events', '/_sidemint/requests']))
})

test('a token that a command writes to stderr is found there, in this process and in one of its own', async (t) => {
  const leak = token('of a command')
  const places = plant(leak)
  t.is((await run([leak])).code, 2)
  t.is((await runCli([leak])).code, 2)
  t.deepEqual(places, ['stderr', 'stderr'])
})
