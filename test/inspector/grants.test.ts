import test, { type ExecutionContext } from 'ava'
import { settle } from '../../src/config/layers.ts'
import { createEvents, type GateEvent } from '../../src/core/events.ts'
import { takeSnapshot } from '../../src/core/snapshot.ts'
import { fingerprint } from '../../src/core/token.ts'
import type { Grant } from '../../src/inspector/rows.ts'
import { startServer } from '../../src/server.ts'
import { ask } from '../http-client.ts'
import { createRandom } from '../random.ts'

const SERVICES = ['web', 'orders', 'billing', 'ledger', 'mail', 'stock', 'search', 'users']
const account = (service: string) => `${service}@acme-dev.iam.gserviceaccount.com`
const audience = (service: string) => `http://${service}:8080`
const DEFAULT = account('default')

/** The service of an account, or an account's name with another caller. */
type Bound = string | readonly [name: string, caller: string]

/** Each service has its account, and a gate that admits nobody, where nothing else is said of it. */
function settingsOf(identities: readonly Bound[], gates: Record<string, readonly string[]> = {}) {
  return settle({
    options: {
      port: 0,
      gatePort: 0,
      source: 'local',
      project: 'acme-dev',
      identities: [
        ...identities
          .map((bound) => (typeof bound === 'string' ? ([bound, bound] as const) : bound))
          .map(([name, caller]) => ({ serviceAccount: account(name), callers: [caller] })),
        { serviceAccount: DEFAULT },
      ],
      gates: [...new Set([...SERVICES, ...Object.keys(gates)])].map((host) => ({
        host,
        upstream: `http://${host}-app`,
        audience: [audience(host)],
        invoker: gates[host] ?? ['user:nobody@acme.com'],
      })),
    },
  })
}

/** A token's fingerprint, the same for the same account and audience. */
const fpOf = (principal: string, to: string) => fingerprint(`${principal}.${to}.signature`)

/** A server whose callers and gates are made: `asks` gets a token, and `calls` is what a gate decided. */
async function startSeeded(t: ExecutionContext, identities: readonly Bound[] = SERVICES) {
  const events = createEvents()
  const server = await startServer({ settings: settingsOf(identities), env: {}, events, frontGates: true })
  t.teardown(() => server.close())
  let at = Date.now()
  return {
    apply: (...settings: Parameters<typeof settingsOf>) => server.apply(settingsOf(...settings), takeSnapshot().read),
    asks(caller: string, to: string, identity = account(caller)) {
      at += 1
      const outcome = { result: 'mint', status: 200, tookMs: 1, fp: fpOf(identity, to) } as const
      const wanted = { kind: 'id', audience: audience(to), scopes: [], identity, caller } as const
      events.record({ type: 'request', at, ...wanted, ...outcome })
    },
    calls(caller: string, to: string, principal = account(caller), changes: Partial<GateEvent> = {}) {
      at += 1
      const asked = { caller, host: to, method: 'GET', path: '/' }
      const wants = { audiences: [audience(to)], trust: ['google'], gcloudAudiences: true, invokers: [] }
      const said = { principal, audience: audience(to), claims: { email: principal }, fp: fpOf(principal, to) }
      const refused = { decision: 'refuse', status: 403, code: 'NOT_AN_INVOKER', reason: 'no' } as const
      events.record({ type: 'gate', at, tookMs: 1, ...asked, wants, ...said, ...refused, ...changes })
    },
    async grants() {
      const { grants } = JSON.parse((await ask(server.url, '/_sidemint/grants')).body) as { grants: Grant[] }
      return grants.map(({ service, member }) => `${service} ${member}`).sort()
    },
  }
}

const member = (email: string) => `serviceAccount:${email}`

/** Whatever was wrong with a call before it was mended, and a grant would not have mended. */
const FAULTS: Partial<GateEvent>[] = [
  ...['TOKEN_MISSING', 'TOKENS_SEVERAL', 'TOKEN_INVALID', 'TOKEN_EXPIRED', 'ISSUER_NOT_TRUSTED', 'KEY_UNKNOWN'].map(
    (code) => ({ code, principal: '', audience: '' }),
  ),
  { code: 'AUDIENCE_WRONG', status: 401 },
  { code: 'AUDIENCE_WRONG', status: 401, decision: 'report' },
  { code: 'METHOD_UNSUPPORTED', status: 405, method: 'TRACE' },
  { code: 'INTERNAL', status: 503 },
]

test('of a graph of eight services whose faults were mended the grants are those of the calls that it needs', async (t) => {
  const random = createRandom(20261126)
  // At first nobody but web has an identity, and all others speak as the default one.
  const { asks, calls, apply, grants } = await startSeeded(t, ['web'])
  const edges = SERVICES.flatMap((from, at) =>
    SERVICES.filter((to, other) => to !== from && (other === (at + 1) % SERVICES.length || random() < 0.2)).map(
      (to) => [from, to] as const,
    ),
  )
  for (const [from, to] of edges) {
    for (const fault of FAULTS) if (random() < 0.5) calls(from, to, account('default'), fault)
    const before = from === 'web' ? account('web') : DEFAULT
    asks(from, to, before)
    const refused = random() < 0.7
    calls(from, to, before, refused ? {} : { decision: 'allow', code: 'INVOKER', upstreamStatus: 200 })
  }
  await apply(SERVICES)
  for (const [from, to] of edges) {
    asks(from, to)
    calls(from, to, account(from), random() < 0.5 ? { decision: 'report' } : {})
  }
  t.deepEqual(await grants(), edges.map(([from, to]) => `${to} ${member(account(from))}`).sort())
})

test('no grant lets a token in whose email is not verified, and one without email is the account that it was minted for', async (t) => {
  const { asks, calls, grants } = await startSeeded(t)
  const number = '104857600000000000001'
  asks('web', 'ledger')
  const fp = fpOf(account('web'), 'ledger')
  calls('web', 'ledger', number, { fp, claims: { email: account('web'), email_verified: false } })
  t.deepEqual(await grants(), [])
  calls('web', 'ledger', number, { fp, claims: { sub: number } })
  t.deepEqual(await grants(), [`ledger ${member(account('web'))}`])
})

test("an account that is not the caller's own is needed where the caller only passes a token on", async (t) => {
  const { asks, calls, grants } = await startSeeded(t)
  asks('orders', 'ledger')
  calls('web', 'ledger', account('orders'))
  calls('web', 'ledger', 'ann@acme.com')
  t.deepEqual(await grants(), [`ledger ${member(account('orders'))}`, 'ledger user:ann@acme.com'])
})

test('who is known by its address alone, or shares an account, keeps what it needed', async (t) => {
  const { asks, calls, apply, grants } = await startSeeded(t, [])
  for (const caller of ['127.0.0.1', 'web', 'mail']) asks(caller, 'ledger', DEFAULT)
  for (const caller of ['127.0.0.1', 'web']) calls(caller, 'ledger', DEFAULT)
  calls('mail', 'users', DEFAULT)
  await apply(['web'])
  t.deepEqual(await grants(), [`ledger ${member(DEFAULT)}`, `users ${member(DEFAULT)}`])
})

test('a caller keeps the grants of every account that its address, its container or its service may give it', async (t) => {
  for (const caller of ['172.18.0.0/16', '172.18.0.7', 'shop-orders-1', 'shop-orders-run-0a1f']) {
    const { asks, calls, apply, grants } = await startSeeded(t, [['web', caller], 'orders'])
    asks('orders', 'ledger', account('web'))
    calls('orders', 'ledger', account('web'))
    t.deepEqual(await grants(), [`ledger ${member(account('web'))}`], caller)
    await apply([['web', 'shop-order-1'], 'orders'])
    t.deepEqual(await grants(), [], 'nothing gives it that account any more')
  }
})

test('a service that is not public any more needs no grant to everybody, and one that is needs no other', async (t) => {
  const { calls, grants } = await startSeeded(t)
  const open = { decision: 'allow', code: 'PUBLIC', upstreamStatus: 200 } as const
  calls('web', 'orders', '', open)
  t.deepEqual(await grants(), ['orders allUsers'])
  calls('web', 'orders', '', { code: 'METHOD_UNSUPPORTED', status: 405 })
  t.deepEqual(await grants(), ['orders allUsers'], 'that does not say whether it is public')
  calls('web', 'orders', '', { code: 'TOKEN_MISSING' })
  t.deepEqual(await grants(), [])
  calls('web', 'orders')
  calls('mail', 'users')
  t.deepEqual(await grants(), [`orders ${member(account('web'))}`, `users ${member(account('mail'))}`])
  calls('mail', 'orders', '', open)
  t.deepEqual(await grants(), ['orders allUsers', `users ${member(account('mail'))}`])
  calls('web', 'orders')
  t.deepEqual(await grants(), [`orders ${member(account('web'))}`, `users ${member(account('mail'))}`])
})

test('a gate that the settings have no more needs nothing', async (t) => {
  const { calls, apply, grants } = await startSeeded(t)
  await apply(SERVICES, { ledgr: ['allAuthenticatedUsers'] })
  calls('web', 'ledgr')
  calls('web', 'ledger')
  t.is((await grants()).length, 2)
  await apply(SERVICES)
  t.deepEqual(await grants(), [`ledger ${member(account('web'))}`])
})
