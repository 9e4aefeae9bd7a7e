import test, { type ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import type { Settings } from '../../src/config/settings.ts'
import { createEvents, type Events, type GateEvent } from '../../src/core/events.ts'
import { askRunning } from '../../src/doctor/running.ts'
import { startServer } from '../../src/server.ts'
import { ask } from '../http-client.ts'

type GateSettings = Partial<Settings['gates'][number]>

const BILLING: GateSettings = {
  host: 'billing',
  upstream: 'http://billing-app:9090',
  audience: ['http://billing:8080'],
}

const CALL: Omit<GateEvent, 'at'> = {
  type: 'gate',
  decision: 'refuse',
  status: 403,
  code: 'TOKEN_MISSING',
  caller: 'web',
  host: 'orders',
  method: 'GET',
  path: '/17',
  audience: '',
  principal: '',
  reason: 'the request has no token. Fix: send `Authorization: Bearer TOKEN`',
  tookMs: 1,
}

async function start(t: ExecutionContext, gates: GateSettings[] = []) {
  const events = createEvents()
  const server = await startServer({
    settings: settle({ options: { port: 0, gatePort: 0, source: 'local', project: 'acme-dev', gates } }),
    env: {},
    frontGates: true,
    events,
  })
  t.teardown(() => server.close())
  const { settings } = JSON.parse((await ask(server.url, '/_sidemint/state')).body)
  return { server, events, appliedAt: settings.appliedAt as number }
}

function record(events: Events, at: number, ...calls: Partial<GateEvent>[]) {
  for (const [index, call] of calls.entries()) events.record({ ...CALL, at: at + index, ...call })
}

const ADMITTED = { decision: 'allow', code: 'INVOKER', reason: '', status: undefined } as unknown as Partial<GateEvent>

test('the newest refusals that a running server knows are dated findings, each with the fix of the log and its place on the page', async (t) => {
  const { server, events } = await start(t)
  const paths = ['/first', '/second', '/third', '/last', '/last']
  record(events, Date.parse('2100-01-01T10:20:30Z'), ...paths.map((path) => ({ path })))
  const found = (await askRunning(server.url))?.calls ?? []
  const said = '403 TOKEN_MISSING: the request has no token'
  t.deepEqual(
    found.map(({ status, what }) => `${status} ${what}`),
    [
      `warn web -> orders GET /last was refused 2 times, last at 2100-01-01T10:20:30Z: ${said}`,
      `warn web -> orders GET /third was refused once, at 2100-01-01T10:20:30Z: ${said}`,
      `warn web -> orders GET /second was refused once, at 2100-01-01T10:20:30Z: ${said}`,
    ],
  )
  const { hops } = JSON.parse((await ask(server.url, '/_sidemint/requests')).body)
  const { address } = hops.find(({ path }: GateEvent) => path === '/last')
  t.is(found[0]?.fix, `send \`Authorization: Bearer TOKEN\`; see why at ${server.url}/_sidemint/#${address}`)
})

test('a refusal is no finding once the same caller was admitted there, or other settings are in force', async (t) => {
  const { server, events, appliedAt } = await start(t)
  record(events, appliedAt - 10, { caller: 'before' })
  record(
    events,
    appliedAt + 1_000,
    { caller: 'mended' },
    { ...ADMITTED, caller: 'mended' },
    { ...ADMITTED, caller: 'broken' },
    { caller: 'broken' },
    { caller: 'elsewhere' },
    { ...ADMITTED, caller: 'elsewhere', host: 'billing' },
  )
  const found = (await askRunning(server.url))?.calls ?? []
  t.deepEqual(
    found.map(({ what }) => what.split(' ')[0]),
    ['elsewhere', 'broken'],
  )
})

test('a call that was admitted and answered 502 is a finding with the upstream, until the service answers', async (t) => {
  const { server, events, appliedAt } = await start(t, [BILLING])
  const at = Date.parse('2100-01-01T10:20:30Z')
  const failed = { ...ADMITTED, host: 'billing', upstreamStatus: 502 }
  record(events, appliedAt - 10, { ...failed, path: '/before' })
  record(
    events,
    at,
    { ...failed, caller: 'mended' },
    { ...failed, caller: 'mended', upstreamStatus: 200 },
    { ...failed, decision: 'report', code: 'TOKEN_MISSING', caller: 'reported' },
    { ...failed, upstreamStatus: 200 },
    failed,
  )
  const found = (await askRunning(server.url))?.calls ?? []
  t.deepEqual(
    found.map(({ status, what }) => `${status} ${what}`),
    ['web', 'reported'].map(
      (caller) => `warn ${caller} -> billing GET /17 was let in, and answered 502 once, at 2100-01-01T10:20:30Z`,
    ),
  )
  t.regex(
    found[0]?.fix ?? '',
    /^see whether billing answers at http:\/\/billing-app:9090, its gate's `upstream:`; see why at http:\S+\/_sidemint\/#hop-[0-9a-f]{8}$/,
  )
})
