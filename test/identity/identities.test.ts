import { request } from 'node:http'
import test from 'ava'
import { settle } from '../../src/config/layers.ts'
import { createEvents } from '../../src/core/events.ts'
import { createCallers } from '../../src/identity/callers.ts'
import { createIdentities } from '../../src/identity/identities.ts'
import { startSidemint } from '../../src/index.ts'

const at = (name: string) => `${name}@acme-dev.iam.gserviceaccount.com`
const ORDERS = { serviceAccount: at('orders'), callers: ['orders', 'orders-worker'], port: 0 }
const BILLING = {
  serviceAccount: at('billing'),
  callers: ['billing', '10.9.0.0/16'],
  hosts: ['billing.metadata.internal'],
}
const JOBS = { serviceAccount: at('jobs'), hosts: ['jobs.metadata.internal'] }
const REST = { serviceAccount: at('default') }

async function find(
  identities: object[],
  asking: { name?: string; container?: string; address?: string; host?: string; listener?: string },
) {
  const made = await createIdentities({
    settings: settle({ options: { source: 'local', identities } }),
    env: {},
    issuer: () => 'http://127.0.0.1',
    events: createEvents(),
    now: Date.now,
  })
  made.tokens.close()
  const {
    name,
    container = `acme-${name}-1`,
    address = '172.18.0.9',
    host = 'metadata.google.internal',
    listener,
  } = asking
  const caller = { address, ...(name === undefined ? {} : { name: { container, service: name } }) }
  const found = made.find({ caller, host, listener: made.all.find(({ email }) => email === listener) })
  return found?.email?.split('@')[0]
}

const ALL = [ORDERS, BILLING, JOBS, REST]
for (const [what, asking, expected] of [
  ['a service by its name', { name: 'orders' }, 'orders'],
  ['a second service of the same identity', { name: 'orders-worker' }, 'orders'],
  ['a container by its own name', { name: 'x', container: 'billing' }, 'billing'],
  ['an address in a range', { address: '10.9.4.2' }, 'billing'],
  ['an IPv6 address is in no IPv4 range', { address: 'fd00::1' }, 'default'],
  ['a Host alias', { host: 'jobs.metadata.internal' }, 'jobs'],
  ['a Host alias with port, final dot and capitals', { host: 'Jobs.Metadata.Internal.:80' }, 'jobs'],
  ['everybody else', { name: 'web' }, 'default'],
  [
    'a caller that sends another identity’s Host keeps its own',
    { name: 'orders', host: 'jobs.metadata.internal' },
    'orders',
  ],
  ['the Host of an identity with callers is not enough', { host: 'billing.metadata.internal' }, 'default'],
  ['a listener means its identity', { address: '127.0.0.1', listener: at('orders') }, 'orders'],
  ['a caller of its own may ask an identity’s listener', { name: 'orders', listener: at('orders') }, 'orders'],
  ['a caller of another identity gets nothing there', { name: 'billing', listener: at('orders') }, undefined],
] as const) {
  test(`an asker is told: ${what}`, async (t) => {
    t.is(await find(ALL, asking), expected)
  })
}

test('without a default entry a stranger has no identity', async (t) => {
  t.is(await find([ORDERS, BILLING], { name: 'web' }), undefined)
})

for (const [what, identities, complaint] of [
  ['two defaults', [REST, { serviceAccount: at('other') }], /each is the default/],
  [
    'one caller twice',
    [ORDERS, { serviceAccount: at('other'), callers: ['Orders'] }],
    /orders is in the callers of two/,
  ],
  ['one host twice', [JOBS, { serviceAccount: at('other'), hosts: ['jobs.metadata.internal'] }], /in the hosts of two/],
  [
    'one port twice',
    [
      { ...REST, port: 16926 },
      { ...JOBS, port: 16926 },
    ],
    /port 16926 is given to two/,
  ],
  ['two chains to one account', [REST, { ...REST, callers: ['a'], delegates: [at('ci')] }], /two chains of delegates/],
  ['an unknown key', [{ ...REST, caller: ['a'] }], /identities\[0\]\.caller/],
] as const) {
  test(`identities are refused: ${what}`, (t) => {
    t.throws(() => settle({ options: { identities } }), { message: complaint })
  })
}

test('a default entry in the file and --service-account are refused together', (t) => {
  t.throws(() => settle({ options: { identities: [REST], serviceAccount: at('x') } }), {
    message: /both name the default/,
  })
  t.notThrows(() => settle({ options: { identities: [ORDERS], serviceAccount: at('x') } }))
})

test('a caller is looked up once a connection, and a failing look-up leaves the address', async (t) => {
  const asked: string[] = []
  const callers = createCallers({
    reverse: async (address) => {
      asked.push(address)
      if (address === '172.18.0.7') throw new Error('ENOTFOUND')
      return [address === '172.18.0.2' ? 'acme-sidemint-1.acme_default' : 'acme-orders-1.acme_default']
    },
    ownAddresses: () => [{ address: '172.18.0.2', cidr: '172.18.0.2/16' }],
  })
  const socket = { remoteAddress: '::ffff:172.18.0.5' } as never
  await callers.of(socket).naming
  t.is(callers.of(socket), callers.of(socket))
  t.deepEqual(callers.of(socket).name, { container: 'acme-orders-1', service: 'orders' })
  t.deepEqual(asked.sort(), ['172.18.0.2', '172.18.0.5'])
  const stranger = callers.of({ remoteAddress: '172.18.0.7' } as never)
  await stranger.naming
  t.is(stranger.name, undefined)
  t.is(callers.of({ remoteAddress: '127.0.0.1' } as never).naming, undefined)
})

function get(url: string, host?: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Metadata-Flavor': 'Google', ...(host === undefined ? {} : { Host: host }) }
    request(url, { headers, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
      .on('error', reject)
      .end()
  })
}
const ACCOUNTS = '/computeMetadata/v1/instance/service-accounts'

test('over HTTP each asker sees its own account, and no warm cache gives it another’s token', async (t) => {
  await using metadata = await startSidemint({ identities: [JOBS, { ...REST, accounts: [at('shared')] }] })
  const identity = `${metadata.url}${ACCOUNTS}/default/identity?audience=https://a.example&format=full`
  const emailIn = (jwt: string) => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()).email
  t.is(emailIn((await get(identity)).body), at('default'))
  t.is(emailIn((await get(identity, 'jobs.metadata.internal')).body), at('jobs'))
  t.is(emailIn((await get(identity)).body), at('default'))
  t.is((await get(`${metadata.url}${ACCOUNTS}/${at('shared')}/email`)).body, at('shared'))
  t.is((await get(`${metadata.url}${ACCOUNTS}/${at('shared')}/email`, 'jobs.metadata.internal')).status, 404)
  t.is((await get(`${metadata.url}${ACCOUNTS}/${at('jobs')}/token`)).status, 404)
  t.is((await get(`${metadata.url}${ACCOUNTS}/`)).body, `default/\n${at('default')}/\n${at('shared')}/\n`)
})

test('a stranger sees an empty list of accounts and gets Google’s answer for a machine without one', async (t) => {
  await using metadata = await startSidemint({ identities: [JOBS] })
  t.deepEqual(await get(`${metadata.url}${ACCOUNTS}/`), { status: 200, body: '' })
  const answer = await get(`${metadata.url}${ACCOUNTS}/default/token`)
  t.is(answer.status, 404)
  t.is(answer.body, '{"error":"invalid_request","error_description":"Service account not enabled on this instance"}')
})

test('of several networks the one that the caller is in tells the names apart', async (t) => {
  const reverse = async (address: string) => {
    const names: Record<string, string> = {
      '10.1.0.2': 'acme-sidemint-1.shared',
      '10.2.0.2': 'acme-sidemint-1.acme_default',
      '10.2.0.9': 'acme-orders-1.acme_default',
      '10.1.0.9': 'acme-orders-1.shared',
    }
    return names[address] === undefined ? [] : [names[address]]
  }
  const networks = [
    { address: '10.1.0.2', cidr: '10.1.0.2/16' },
    { address: '10.2.0.2', cidr: '10.2.0.2/16' },
  ]
  for (const ownAddresses of [() => networks, () => networks.toReversed()]) {
    for (const remoteAddress of ['10.1.0.9', '10.2.0.9']) {
      const caller = createCallers({ reverse, ownAddresses }).of({ remoteAddress } as never)
      await caller.naming
      t.deepEqual(caller.name, { container: 'acme-orders-1', service: 'orders' }, remoteAddress)
    }
  }
})

test('where our own addresses cannot be read, a caller is known by its address', async (t) => {
  const callers = createCallers({
    reverse: async () => ['acme-orders-1.acme_default'],
    ownAddresses() {
      throw Object.assign(new Error('uv_interface_addresses returned Unknown system error 24'), { code: 'EMFILE' })
    },
  })
  const caller = callers.of({ remoteAddress: '172.18.0.5' } as never)
  await t.notThrowsAsync(async () => caller.naming)
  t.like(caller, { address: '172.18.0.5', name: undefined, naming: undefined })
})
