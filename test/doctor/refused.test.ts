import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import { createEvents, type GateEvent } from '../../src/core/events.ts'
import { askRunning } from '../../src/doctor/running.ts'
import { startServer } from '../../src/server.ts'
import { ask } from '../http-client.ts'

const CALL: GateEvent = {
  type: 'gate',
  at: Date.now(),
  decision: 'refuse',
  status: 403,
  code: 'TOKEN_MISSING',
  caller: 'web',
  host: 'orders',
  method: 'GET',
  path: '/17',
  audience: '',
  principal: '',
  reason: 'no token',
  tookMs: 1,
}

test('the newest refusals that a running server knows are findings, each with its place on the page', async (t) => {
  const events = createEvents()
  const server = await startServer({
    settings: settle({ options: { port: 0, source: 'local', project: 'acme-dev' } }),
    env: {},
    events,
  })
  t.teardown(() => server.close())
  for (const [at, path] of ['/first', '/second', '/third', '/last', '/last'].entries())
    events.record({ ...CALL, at: CALL.at + at, path })
  events.record({ ...CALL, at: CALL.at + 9, decision: 'allow', path: '/admitted', code: 'INVOKER' })
  const running = await askRunning(server.url)
  const found = running?.findings.filter(({ check }) => check === 'calls') ?? []
  t.deepEqual(
    found.map(({ status, what }) => `${status} ${what}`),
    [
      'warn web -> orders GET /last was refused 2 times: 403 TOKEN_MISSING',
      'warn web -> orders GET /third was refused once: 403 TOKEN_MISSING',
      'warn web -> orders GET /second was refused once: 403 TOKEN_MISSING',
    ],
  )
  const { hops } = JSON.parse((await ask(server.url, '/_sidemint/requests')).body)
  const { address } = hops.find(({ path }: GateEvent) => path === '/last')
  t.is(
    found[0]?.fix,
    'where it may call, `invoker: [serviceAccount:default@acme-dev.iam.gserviceaccount.com] # the gate of orders` in ' +
      'sidemint.yaml, and in production `gcloud run services add-iam-policy-binding orders ' +
      '--member=serviceAccount:default@acme-dev.iam.gserviceaccount.com --role=roles/run.invoker --region=us-central1 ' +
      `--project=acme-dev\`; see why at ${server.url}/_sidemint/#${address}`,
  )
})
