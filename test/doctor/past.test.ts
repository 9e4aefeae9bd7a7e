import test, { type ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { createEvents, type GateEvent, type RequestEvent } from '../../src/core/events.ts'
import { askRunning } from '../../src/doctor/running.ts'
import { startServer } from '../../src/server.ts'

const LONG = 60_000
const AUDIENCE = 'http://billing:8080'

const ASKED: Omit<RequestEvent, 'at'> = {
  type: 'request',
  kind: 'id',
  audience: AUDIENCE,
  scopes: [],
  identity: 'catalog@acme-dev.iam.gserviceaccount.com',
  caller: 'catalog',
  result: 'mint',
  status: 200,
  tookMs: 1,
}

const CALLED: Omit<GateEvent, 'at'> = {
  type: 'gate',
  decision: 'allow',
  code: 'INVOKER',
  caller: 'catalog',
  host: 'billing',
  method: 'GET',
  path: '/',
  audience: AUDIENCE,
  principal: ASKED.identity,
  reason: '',
  tookMs: 1,
}

type Event = Omit<RequestEvent, 'at'> | Omit<GateEvent, 'at'>

/** What doctor says of calls, of a server that saw these a minute after its start, and a minute before it is asked. */
async function found(t: ExecutionContext, gatesOf: object[], ...seen: [afterMs: number, event: Event][]) {
  const events = createEvents()
  let now = Date.now()
  const gates = gatesOf.map((gate) => ({ upstream: 'http://billing-app:8080', audience: [AUDIENCE], ...gate }))
  const server = await startServer({
    settings: settle({ options: { port: 0, gatePort: 0, source: 'local', project: 'acme-dev', gates } }),
    env: {},
    frontGates: true,
    events,
    now: () => now,
  })
  t.teardown(() => server.close())
  const at = now + LONG
  for (const [afterMs, event] of seen) events.record({ ...event, at: at + afterMs } as RequestEvent)
  now = at + LONG
  return (await askRunning(server.url))?.calls ?? []
}

const BILLING = { host: 'billing' }

test('who has a token for a service and never came through its gate is a finding, with the link that leads there', async (t) => {
  const elsewhere = { ...CALLED, host: 'orders' }
  const all = await found(t, [BILLING], [0, ASKED], [1, elsewhere], [2, { ...CALLED, caller: 'web' }])
  t.is(all.length, 1, JSON.stringify(all))
  t.like(all[0], {
    check: 'calls',
    status: 'warn',
    what: `catalog has a token for ${AUDIENCE}, and no call of it came through the gate of billing since`,
  })
  t.is(
    all[0]?.fix,
    'where it calls billing, give it that name for sidemint: links: ["sidemint:billing"] in catalog, with the name that sidemint has in the stack',
  )
})

test('a call before the token was asked for does not count: the link may have gone since', async (t) => {
  t.is((await found(t, [BILLING], [0, CALLED], [1, ASKED])).length, 1)
})

test('who came through a gate for the audience, or may still come, is no finding', async (t) => {
  const all = await found(
    t,
    [BILLING, { host: 'billing-v2' }],
    [0, ASKED],
    [1, CALLED],
    [0, { ...ASKED, caller: 'came-to-the-other' }],
    [1, { ...CALLED, caller: 'came-to-the-other', host: 'billing-v2' }],
    [LONG - 1_000, { ...ASKED, caller: 'just-asked' }],
    [-LONG - 1, { ...ASKED, caller: 'asked-before-the-settings' }],
  )
  t.deepEqual(all, [])
})

test('a failed request, a token for another audience, and who has no name in the stack are no finding', async (t) => {
  const failed = { ...ASKED, caller: 'failed', status: 403 }
  const elsewhere = { ...ASKED, caller: 'elsewhere', audience: 'http://orders:8080' }
  const access = { ...ASKED, caller: 'access', kind: 'access' as const, audience: '' }
  const nameless = ['172.18.0.1', 'fe80::1'].map((caller) => ({ ...ASKED, caller }))
  const none = [failed, elsewhere, access, ...nameless].map((event) => [0, event] as [number, Event])
  t.deepEqual(await found(t, [BILLING], ...none), [])
  t.deepEqual(await found(t, [], [0, ASKED]), [], 'no gate')
})
