import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { serving } from '../commands/run.ts'
import { BILLING, metadata, scratch, startService } from '../gate/process.ts'
import { ask, DEFAULT_ACCOUNT } from '../http-client.ts'
import { compare } from './document.ts'
import { openEvents } from './event-source.ts'

const AUDIENCE = 'https://ledger-abc123-uc.a.run.app'

test('a gate alone shows its half on its admin port', async (t) => {
  const { url } = await startService(t)
  const described = ['--upstream', url, '--invoker', `serviceAccount:${BILLING}`, '--audience', AUDIENCE]
  const argv = ['gate', '--port=0', '--admin-port=0', '--trust', metadata.issuer, ...described]
  const gate = await serving<{ event: string; urls: string[]; adminUrl: string }>(t, argv)
  const { urls, adminUrl } = gate.banner
  const token = await metadata.issueToken({ audience: AUDIENCE })
  const call = (authorization: string) =>
    fetch(`${urls[0]}/entries?secret=1`, { headers: { Authorization: authorization } })
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

test('every refusal has the fix of the log in its row, and lines to copy where it is about who may invoke', async (t) => {
  const { url: upstream } = await startService(t)
  const config = join(scratch, 'every-refusal.yaml')
  const gate = { host: 'ledger', upstream, audience: [AUDIENCE], invoker: ['user:ann@acme.com'] }
  writeFileSync(config, JSON.stringify({ gates: [gate], trust: [metadata.issuer] }))
  const flags = ['--source=local', '--port=0', '--gate-port=0', '--config', config]
  const server = await serving<{ event: string; url: string; gateUrls: string[] }>(t, ['serve', ...flags])
  const { url, gateUrls } = server.banner
  const token = (claims: Record<string, unknown> = {}, audience = AUDIENCE) => metadata.issueToken({ audience, claims })
  const call = async (authorization: string, { host = 'ledger', method = 'GET' } = {}) =>
    ask(gateUrls[0] ?? '', '/', {
      method,
      headers: { Host: host, ...(authorization && { Authorization: authorization }) },
    })
  const good = await token()
  const codes = {
    TOKEN_MISSING: () => call(''),
    TOKENS_SEVERAL: () => call('Bearer a, Bearer b'),
    TOKEN_INVALID: () => call('Bearer abc'),
    ISSUER_NOT_TRUSTED: async () => call(`Bearer ${await token({ iss: 'https://elsewhere.example' })}`),
    TOKEN_EXPIRED: async () => call(`Bearer ${await token({ exp: 1 })}`),
    AUDIENCE_WRONG: async () => call(`Bearer ${await token({}, 'http://other')}`),
    NOT_AN_INVOKER: () => call(`Bearer ${good}`),
    HOST_UNKNOWN: () => call(`Bearer ${good}`, { host: 'ledgr' }),
    METHOD_UNSUPPORTED: () => call(`Bearer ${good}`, { method: 'TRACE' }),
  }
  for (const refused of Object.values(codes)) await refused()
  await call(`Bearer ${await token({ email_verified: false })}`)
  const { hops, ...others } = JSON.parse((await ask(url, '/_sidemint/requests')).body)
  t.is(compare('Requests', { hops, ...others }), 'fits')
  t.deepEqual(
    hops.map(({ code }: { code: string }) => code),
    [...Object.keys(codes), 'NOT_AN_INVOKER'],
  )
  await server.logged('gate', hops.length)
  const logged = server.records().filter(({ event }) => event === 'gate')
  for (const [at, { reason }] of hops.entries()) {
    t.is(reason, logged[at]?.reason)
    t.regex(reason, /\. Fix: ./)
  }
  t.deepEqual(
    hops.map(({ lines }: { lines?: object }) => lines),
    [
      ...Array(6).fill(undefined),
      {
        here: `invoker: [user:ann@acme.com, serviceAccount:${BILLING}]`,
        production: `gcloud run services add-iam-policy-binding ledger --member=serviceAccount:${BILLING} --role=roles/run.invoker --region=REGION --project=PROJECT`,
      },
      undefined,
      undefined,
      undefined,
    ],
    'an unverified email is not mended by a grant',
  )
})
