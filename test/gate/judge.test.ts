import test from 'ava'
import { createEvents } from '../../src/core/events.ts'
import { createJudges, type JudgesOptions } from '../../src/gate/judge.ts'
import type { GateOptions } from '../../src/gate/options.ts'
import { createGateDoors } from '../../src/gate/server.ts'
import { startIssuer } from './issuer.ts'

const AUDIENCE = 'http://ledger:8080'
const GATE: GateOptions = {
  upstream: 'http://127.0.0.1:1',
  audiences: [AUDIENCE],
  invokers: ['user:ann@acme.com'],
  groups: {},
  subjects: { '112': 'bob@acme.com' },
  strip: 'both',
  mode: 'enforce',
  trust: [],
  gcloudAudiences: true,
}

/** What gates that trust a new issuer decide about a token of it, one after the other. */
async function decided(
  claims: Record<string, unknown>,
  gates: readonly Partial<GateOptions>[],
  options: Partial<JudgesOptions> = {},
) {
  const issuer = await startIssuer()
  const token = issuer.sign({ aud: AUDIENCE, ...claims })
  const list = gates.map((gate) => ({ ...GATE, trust: [issuer.url], ...gate }))
  const judges = await createJudges(list, { events: createEvents(), ...options })
  const decisions = []
  for (const judge of judges) decisions.push(await judge.decide(['Authorization', `Bearer ${token}`]))
  return { issuer, decisions }
}

test('the lines that would let an account in are of the place where the gate is set, and of the place in production', async (t) => {
  const carl = { email: 'carl@acme.com', email_verified: true }
  const place = { project: 'acme-dev', region: 'europe-west1' }
  const { decisions } = await decided(carl, [{}, { host: 'ledger' }], { place })
  const binding = (service: string) =>
    `gcloud run services add-iam-policy-binding ${service} --member=user:carl@acme.com --role=roles/run.invoker --region=europe-west1 --project=acme-dev`
  t.deepEqual(
    decisions.map(({ lines }) => lines),
    [
      { here: '--invoker=user:carl@acme.com', production: `${binding('SERVICE')} # the only gate` },
      { here: 'invoker: [user:ann@acme.com, user:carl@acme.com]', production: binding('ledger') },
    ],
  )
})

test('a subject is known where the first issuer that is trusted gives it', async (t) => {
  const invokers = ['user:bob@acme.com']
  const { decisions, issuer } = await decided({ sub: '112' }, [{ invokers }])
  t.is(decisions[0]?.principal, 'bob@acme.com')
  t.is(decisions[0]?.refusal, undefined)
  const second = await decided({ sub: '112' }, [{ invokers, trust: ['google', issuer.url] }])
  t.is(second.decisions[0]?.refusal?.code, 'ISSUER_NOT_TRUSTED')
  const none = await decided({ sub: '112' }, [{ invokers, trust: [] }])
  t.is(none.decisions[0]?.refusal?.code, 'ISSUER_NOT_TRUSTED')
})

test('gates that trust the same issuers share what they know, and others do not', async (t) => {
  const email = { email: 'ann@acme.com', email_verified: true }
  const { decisions, issuer } = await decided(email, [{}, {}])
  t.deepEqual(
    decisions.map(({ refusal }) => refusal),
    [undefined, undefined],
  )
  t.is(issuer.asked.length, 2)
  const foreign = await decided(email, [{}, { trust: ['http://other'] }])
  t.is(foreign.decisions[0]?.refusal, undefined)
  t.is(foreign.decisions[1]?.refusal?.code, 'ISSUER_NOT_TRUSTED')
})

test('gates wait as long as Cloud Run for a request and for the next one, each on its port', async (t) => {
  const events = createEvents()
  const judges = await createJudges([{ ...GATE, port: 9090 }, { ...GATE, port: 80 }, GATE], { events })
  const doors = createGateDoors(judges, { host: '127.0.0.1', port: 8080, setting: '--port' }, { events })
  const times = { host: '127.0.0.1', keepAliveMs: 620_000, requestMs: 3_600_000, headers: [] }
  t.deepEqual([...doors.keys()], ['gates without a port', 'gates 80', 'gates 9090'])
  t.like(doors.get('gates without a port'), { port: 8080, setting: '--port', ...times })
  t.like(doors.get('gates 80'), { port: 80, setting: '`port:` under `gates:`', ...times })
})
