import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { serving } from '../commands/run.ts'
import { BILLING, metadata, scratch, startGate, startService } from '../gate/process.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { compare } from './document.ts'
import { openEvents } from './event-source.ts'

const AUDIENCE = 'https://ledger-abc123-uc.a.run.app'

test('a gate in a process of its own shows its half on its admin port', async (t) => {
  const { url } = await startService(t)
  const gate = await startGate(t, ['--upstream', url, '--invoker', `serviceAccount:${BILLING}`, '--audience', AUDIENCE])
  const { adminUrl } = gate.banner
  const token = await metadata.issueToken({ audience: AUDIENCE })
  const call = (authorization: string) =>
    fetch(`${gate.front}/entries?secret=1`, { headers: { Authorization: authorization } })
  t.is((await call(`Bearer ${token}`)).status, 200)
  t.is((await call(`Bearer ${await metadata.issueToken({ audience: 'https://other' })}`)).status, 401)
  t.is((await call('Basic abc')).status, 403)

  const { body } = await ask(adminUrl, '/_sidemint/requests')
  const { hops, arrows } = JSON.parse(body)
  t.is(compare('Requests', JSON.parse(body)), 'fits')
  const fp = createHash('sha256')
    .update(token.slice(0, token.lastIndexOf('.')))
    .digest('hex')
    .slice(0, 8)
  t.like(hops, [
    { caller: '127.0.0.1', path: '/entries', status: 200, code: 'INVOKER', account: BILLING, fp },
    { status: 401, code: 'AUDIENCE_WRONG', failed: 'aud' },
    { status: 403, code: 'TOKEN_MISSING', failed: 'token', checks: [] },
  ])
  t.like(hops[1].claims, { aud: 'https://other', email: BILLING, iss: metadata.issuer })
  t.like(arrows, [{ count: 3, refused: 2 }])
  for (const secret of ['secret', ...token.split('.')]) t.false(body.includes(secret))

  const { grants, ...bounds } = JSON.parse((await ask(adminUrl, '/_sidemint/grants')).body)
  t.is(compare('Grants', { grants, ...bounds }), 'fits')
  t.like(grants, [{ member: `serviceAccount:${BILLING}`, granted: true, count: 1 }])
  const { gates, ...state } = JSON.parse((await ask(adminUrl, '/_sidemint/state')).body)
  t.is(compare('State', { gates, ...state }), 'fits')
  t.like(gates, [{ host: null, upstream: url, audiences: [AUDIENCE], invokers: [`serviceAccount:${BILLING}`] }])

  const { response } = await openEvents(adminUrl)
  const ended = once(response, 'end')
  t.is((await gate.stop()).code, 0)
  await ended
})

test('a server that fronts its gates has both halves of a call in one row', async (t) => {
  const { url: upstream } = await startService(t)
  const config = join(scratch, 'both-halves.yaml')
  const gate = { host: 'ledger', upstream, audience: [AUDIENCE], invoker: [`serviceAccount:${BILLING}`] }
  writeFileSync(config, JSON.stringify({ gates: [gate] }))
  const flags = ['--source=local', '--port=0', '--gate-port=0', '--service-account', BILLING, '--config', config]
  const { banner } = await serving<{ event: string; url: string; gateUrls: string[] }>(t, ['serve', ...flags])
  const { url, gateUrls } = banner
  const token = (await ask(url, `${DEFAULT_ACCOUNT}/identity?audience=${AUDIENCE}`)).body
  const headers = { Host: 'ledger', Authorization: `Bearer ${token}` }
  t.is((await ask(gateUrls[0] ?? '', '/entries', { headers })).status, 200)
  const { hops, asked, ...others } = JSON.parse((await ask(url, '/_sidemint/requests')).body)
  t.is(compare('Requests', { hops, asked, ...others }), 'fits')
  const origin = { identity: BILLING, audience: AUDIENCE, caller: '127.0.0.1', at: asked[0].at }
  t.like(hops, [{ service: 'ledger', path: '/entries', account: BILLING, status: 200, fp: asked[0].fp, token: origin }])
  t.is(hops[0].askedAt, asked[0].lastAt)
  t.deepEqual(
    hops[0].checks.map(({ good }: { good: boolean }) => good),
    [true, true, true, true],
  )
  const { gates, source } = JSON.parse((await ask(url, '/_sidemint/state')).body)
  t.is(source, 'local')
  t.like(gates, [{ host: 'ledger', upstream, audiences: [AUDIENCE] }])
})
