import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import type { Settings } from '../../src/config/settings.ts'
import { createEvents } from '../../src/core/events.ts'
import { takeSnapshot } from '../../src/core/snapshot.ts'
import { servedAsIs } from '../../src/identity/advice.ts'
import { startServer } from '../../src/server.ts'
import { serving } from '../commands/run.ts'
import { freePort } from '../free-port.ts'
import { startIssuer } from '../gate/issuer.ts'
import { startService } from '../gate/process.ts'
import { startFakeGoogle } from '../google/start.ts'
import { ask, DEFAULT_ACCOUNT, type Reply, V1 } from '../http-client.ts'
import { ANN, CI, CREATOR } from '../mint/google/rows.ts'
import { recordEvents } from '../recorder.ts'
import { rewriteUnderLoad, startFollowed, whoAmI } from './followed.ts'

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const BILLING = 'billing@acme-dev.iam.gserviceaccount.com'
const STAGE = `${V1}/instance/attributes/stage`
const withStage = (value: string) => `metadata: { instance: { attributes: { stage: ${value}, other: same } } }\n`

/** The answer, or undefined while there is none. */
function peek(reply: Promise<Reply>): () => Reply | undefined {
  let got: Reply | undefined
  void reply.then((value) => {
    got = value
  })
  return () => got
}

test('who waits for an attribute gets the new value and its ETag once the file is saved; who waits for another goes on waiting', async (t) => {
  const server = await startFollowed(t, withStage('dev'))
  const { headers } = await ask(server.url, STAGE)
  const held = [STAGE, `${V1}/instance/attributes/`, `${V1}/`].map((path) =>
    ask(server.url, `${path}?wait_for_change=true&recursive=true`),
  )
  const other = peek(ask(server.url, `${V1}/instance/attributes/other?wait_for_change=true`))
  await ask(server.url, STAGE)
  await server.save(withStage('test'))
  const [stage, attributes, root] = await Promise.all(held)
  t.is(stage?.body, 'test')
  t.not(stage?.headers.etag, headers.etag)
  t.is(attributes?.body, '{"other":"same","stage":"test"}')
  t.is(JSON.parse(root?.body ?? '').instance.attributes.stage, 'test')
  t.is(other(), undefined)
  const next = ask(server.url, `${STAGE}?recursive=true&wait_for_change=true&last_etag=${stage?.headers.etag}`)
  await ask(server.url, STAGE)
  await server.save('metadata: {}\n')
  t.is((await next).status, 404, 'the key is gone, which Go reads as deleted')
})

test('another identity has other tokens at once, by every name, and its waiters are told', async (t) => {
  const server = await startFollowed(t, `serviceAccount: ${ORDERS}\nallowAudience: ['https://a.example']\n`)
  t.is(await whoAmI('127.0.0.1', server.url, 'https://a.example'), ORDERS)
  t.is(await whoAmI('127.0.0.1', server.url, 'https://b.example'), '400')
  await server.save(`serviceAccount: ${ORDERS}\nallowAudience: ['https://b.example']\nallowHost: [mds.example]\n`)
  t.is(await whoAmI('127.0.0.1', server.url, 'https://a.example'), '400', 'a cached token is not served past the list')
  t.is(await whoAmI('127.0.0.1', server.url, 'https://b.example'), ORDERS)
  const asked = { headers: { 'Metadata-Flavor': 'Google', Host: 'mds.example' } }
  t.is((await ask(server.url, `${DEFAULT_ACCOUNT}/email`, asked)).status, 200)
  t.deepEqual(server.reports, ['SETTINGS_APPLIED applied without a restart: allowAudience, allowHost'])
})

test("identities come and go with their ports, and a port's connections get the identity of the file that names it", async (t) => {
  const port = await freePort()
  const own = `http://127.0.0.1:${port}`
  const identities = (...list: string[]) => `identities:\n${list.map((one) => `  - ${one}\n`).join('')}`
  const everybody = `serviceAccount: ${ORDERS}`
  const server = await startFollowed(t, identities(everybody))
  await server.save(identities(everybody, `{ serviceAccount: ${BILLING}, port: ${port} }`))
  t.is(await whoAmI('127.0.0.1', own, 'https://a.example'), BILLING)
  t.is(await whoAmI('127.0.0.1', server.url, 'https://a.example'), ORDERS)
  await server.save(identities(everybody, `{ serviceAccount: other@acme-dev.iam.gserviceaccount.com, port: ${port} }`))
  t.is(await whoAmI('127.0.0.1', own, 'https://a.example'), 'other@acme-dev.iam.gserviceaccount.com')

  const waiting = ask(own, `${DEFAULT_ACCOUNT}/email?wait_for_change=true`)
  await ask(own, `${DEFAULT_ACCOUNT}/email`)
  const idle = connect(port, '127.0.0.1')
  await once(idle, 'connect')
  await server.save(identities(everybody))
  t.is((await waiting).status, 404, 'its identity is gone, and it gets no other')
  await once(idle, 'close')
  await t.throwsAsync(ask(own, `${DEFAULT_ACCOUNT}/email`), { code: 'ECONNREFUSED' })
  t.is(await whoAmI('127.0.0.1', server.url, 'https://a.example'), ORDERS)
})

test('a set whose port is taken leaves everything as it was, the ports that it had opened already too', async (t) => {
  const blocker = createServer().listen(0, '127.0.0.1')
  await once(blocker, 'listening')
  t.teardown(() => blocker.close())
  const { port: taken } = blocker.address() as AddressInfo
  const free = await freePort()
  const server = await startFollowed(t, `identities: [{ serviceAccount: ${ORDERS} }]\n`)
  const text = `identities:
  - serviceAccount: ${BILLING}
  - { serviceAccount: a@acme-dev.iam.gserviceaccount.com, port: ${free} }
  - { serviceAccount: b@acme-dev.iam.gserviceaccount.com, port: ${taken} }
`
  await server.save(text)
  t.is(await whoAmI('127.0.0.1', server.url, 'https://a.example'), ORDERS)
  await t.throwsAsync(ask(`http://127.0.0.1:${free}`, '/'), { code: 'ECONNREFUSED' })
  t.is(server.reports.length, 1)
  t.regex(
    server.reports[0] ?? '',
    /^SETTINGS_NOT_APPLIED 127\.0\.0\.1:\d+ is in use .*; the settings before stay in force/,
  )
  await new Promise((resolve) => blocker.close(resolve))
  await server.save(`${text}# again\n`)
  t.is(await whoAmI('127.0.0.1', server.url, 'https://a.example'), BILLING)
})

test('a gate keeps the keys that it has fetched: an issuer that is away while a file is saved refuses nobody', async (t) => {
  const issuer = await startIssuer()
  t.teardown(issuer.close)
  const { url: upstream } = await startService(t)
  const gates = (invoker: string) =>
    `gates: [{ host: billing, upstream: '${upstream}', trust: [${issuer.url}], audience: [b], invoker: [${invoker}] }]\n`
  const server = await startFollowed(t, gates(`'serviceAccount:${ORDERS}'`))
  const token = issuer.sign({ aud: 'b', sub: '1', email: ORDERS, email_verified: true })
  const call = () =>
    ask(server.front.urls[0] ?? '', '/', { headers: { Host: 'billing', Authorization: `Bearer ${token}` } })
  t.is((await call()).status, 200)
  issuer.fault = { status: 503, body: 'away' }
  await server.save(gates(`'serviceAccount:${ORDERS}', 'serviceAccount:${BILLING}'`))
  t.is((await call()).status, 200)
  await server.save(gates(`'serviceAccount:${BILLING}'`))
  t.is((await call()).status, 403, 'by the new list')
})

test('gates open, change and close while running; what is in flight is answered, and a broken policy changes nothing', async (t) => {
  let release = () => {}
  const { url: upstream } = await startService(t, (req, res) => {
    if (req.url !== '/slow') return void res.end('ok')
    release = () => res.end('late')
    res.writeHead(200).write('')
    reached()
  })
  let reached = () => {}
  const slow = new Promise<void>((resolve) => {
    reached = resolve
  })
  const port = await freePort()
  const front = `http://127.0.0.1:${port}`
  const gates = (more: string) =>
    `serviceAccount: ${ORDERS}\ngates: [{ host: billing, port: ${port}, upstream: '${upstream}', audience: [b], ${more} }]\n`
  const server = await startFollowed(t, `serviceAccount: ${ORDERS}\n`)
  const token = (await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=b&format=full`)).body
  const call = (path: string) => ask(front, path, { headers: { Host: 'billing', Authorization: `Bearer ${token}` } })

  await server.save(gates(`invoker: ['serviceAccount:${ORDERS}']`))
  t.is((await call('/')).body, 'ok')
  const inFlight = call('/slow')
  await slow
  const policy = join(server.folder, 'policy.yaml')
  writeFileSync(policy, 'bindings: []\n')
  await server.save(gates('policy: policy.yaml'))
  t.is((await call('/')).status, 403)
  writeFileSync(policy, `bindings: [{ role: roles/run.invoker, members: ['serviceAccount:${ORDERS}'] }]\n`)
  for (let looks = 0; looks < 2; looks += 1) await server.look()
  t.is((await call('/')).body, 'ok')
  writeFileSync(policy, 'bindings: nobody\n')
  for (let looks = 0; looks < 3; looks += 1) await server.look()
  t.is((await call('/')).body, 'ok')
  t.regex(server.reports.at(-1) ?? '', /^SETTINGS_NOT_APPLIED .*policy\.yaml.*`bindings` is not a list/)

  await server.save(`serviceAccount: ${ORDERS}\n`)
  await t.throwsAsync(call('/'), { code: 'ECONNREFUSED' })
  release()
  t.like(await inFlight, { status: 200, body: 'late' })
})

test.serial(
  'delegates of the new set are used from then on, and cached tokens of an account that stays are kept',
  async (t) => {
    await using google = await startFakeGoogle()
    google.trust()
    google.grant(ANN, CREATOR, ORDERS)
    const settings = (delegates: string) => ({
      ...settle({
        options: { port: 0, source: 'google', identities: [{ serviceAccount: ORDERS, delegates: [delegates] }] },
      }),
    })
    const server = await startServer({
      settings: settings(CI),
      env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: google.write('ann.json', google.userLogin(ANN)) },
    })
    t.teardown(() => server.close())
    t.is(await whoAmI('127.0.0.1', server.url, 'https://a.example'), '403', 'Ann may not pass through CI')
    const direct = { ...settings(CI), identities: [{ ...settings(CI).identities[0], delegates: [] }] }
    await server.apply(direct as Settings, takeSnapshot().read)
    t.is(await whoAmI('127.0.0.1', server.url, 'https://b.example'), ORDERS)
    t.is(await whoAmI('127.0.0.1', server.url, 'https://a.example'), ORDERS, 'the failure of before is forgotten')
    const minted = google.calls.length
    await server.apply({ ...direct, allowHost: ['x.example'] } as Settings, takeSnapshot().read)
    t.is(await whoAmI('127.0.0.1', server.url, 'https://b.example'), ORDERS)
    t.is(google.calls.length, minted)
  },
)

test.serial(
  'a set whose default identity is the person who logged in warns of it once, and one that changes nothing of it does not',
  async (t) => {
    await using google = await startFakeGoogle()
    google.trust()
    const settings = (accounts: string[], allowHost: string[] = []) =>
      settle({
        options: {
          port: 0,
          source: 'google',
          allowUserTokens: true,
          allowHost,
          identities: accounts.map((serviceAccount) => ({ serviceAccount })),
        },
      })
    const events = createEvents()
    const seen = recordEvents(events)
    const server = await startServer({
      settings: settings([ORDERS]),
      env: { ...google.env, GOOGLE_APPLICATION_CREDENTIALS: google.write('ann.json', google.userLogin(ANN)) },
      events,
    })
    t.teardown(() => server.close())
    const warnings = async (next: Settings) => {
      const before = seen.length
      await server.apply(next, takeSnapshot().read)
      return seen.slice(before).flatMap((event) => (event.type === 'notice' ? [`${event.code} ${event.text}`] : []))
    }
    const served = [`USER_TOKENS_SERVED ${servedAsIs('user login')}`]
    t.deepEqual(await warnings(settings([BILLING])), [])
    t.is(server.ownLogin(), undefined)
    t.deepEqual(await warnings(settings([])), served)
    t.is(server.ownLogin(), 'user login')
    t.is(await whoAmI('127.0.0.1', server.url, 'https://a.example'), ANN)
    t.deepEqual(await warnings(settings([], ['x.example'])), [])
    t.deepEqual(await warnings(settings([ORDERS])), [])
    t.is(server.ownLogin(), undefined)
    t.deepEqual(await warnings(settings([])), served, 'again, since it was over meanwhile')
  },
)

test('a settings file that is rewritten byte by byte under load gives nobody an identity that neither file gives', async (t) => {
  await rewriteUnderLoad(t, 1)
})

test('serve applies its file by itself, and is stopped while it looks', async (t) => {
  const { path } = await startFollowed(t, withStage('dev'))
  const running = await serving<{ url: string }>(t, ['serve', '--port=0', '--source=local', '--config', path])
  const reply = ask(running.banner.url, `${STAGE}?wait_for_change=true`)
  await ask(running.banner.url, STAGE)
  writeFileSync(path, withStage('test'))
  t.is((await reply).body, 'test')
  await running.logged('notice', 1)
  t.true(
    running.records().some(({ code }) => code === 'SETTINGS_APPLIED'),
    JSON.stringify(running.records()),
  )
  t.is((await running.stop()).code, 0)
})
