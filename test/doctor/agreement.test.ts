import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { checkCompose } from '../../src/doctor/compose/index.ts'

const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const BILLING = 'billing@acme-dev.iam.gserviceaccount.com'

const SETTINGS = `project: acme-dev
identities:
  - serviceAccount: ${ORDERS}
    callers: [orders, shop-orders-2, worker, 10.1.0.0/16, "::1"]
    hosts: [jobs.metadata.internal]
    port: 16926
  - serviceAccount: ${BILLING}
    callers: [billing-app]
gates:
  - host: billing
    upstream: http://billing-app:8080
    audience: [http://billing:8080]
    invoker: ["serviceAccount:${ORDERS}", "user:ann@acme.com"]
  - host: partner
    upstream: http://host.docker.internal:9000
    audience: [http://partner:8080]
    invoker: [allUsers]
`

const STACK = `name: shop
services:
  sidemint:
    image: sidemint
    ports: ["127.0.0.1:16926:16926"]
    volumes: ["./sidemint:/etc/sidemint:ro"]
    networks: { default: {}, cloud: { ipv4_address: 169.254.169.254, aliases: [jobs.metadata.internal] } }
  gate:
    image: sidemint
    command: [gate]
    volumes: ["./sidemint:/etc/sidemint:ro"]
    networks: { default: { aliases: [billing, partner] } }
  orders: { build: ., networks: [default, cloud], depends_on: { sidemint: { condition: service_healthy } } }
  work: { image: worker, container_name: worker }
  billing-app: { build: ., networks: [default, cloud], depends_on: { sidemint: { condition: service_healthy } } }
networks:
  cloud: { driver_opts: { com.docker.network.bridge.inhibit_ipv4: "true" } }
`

/** Where nobody has configured Docker. */
const NOBODY = '/nonexistent'

/** What is not in order where the files are these. */
async function faults(t: ExecutionContext, files: Record<string, string>, over: string[] = [], HOME = NOBODY) {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-stack-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), text)
  }
  const named = ['compose.yaml', ...over].map((name) => join(directory, name))
  const sources = { files: named, env: { PATH: '/nonexistent', HOME }, stdin: async () => '' }
  const found = await checkCompose(sources)
  t.true(found.length > 0)
  return found.filter(({ status }) => status !== 'ok')
}

const stack = (settings: string, compose: string) => ({ 'compose.yaml': compose, 'sidemint/sidemint.yaml': settings })

test('a stack whose settings name only what it has is clean', async (t) => {
  t.deepEqual(await faults(t, stack(SETTINGS, STACK)), [])
})

/** The gates in the server itself: it holds their names, and publishes their port for callers on the host. */
const ONE_SIDEMINT = STACK.replace(/ {2}gate:\n(?: {4}.*\n)*/, '')
  .replace('networks: { default: {}, cloud', 'networks: { default: { aliases: [billing, partner] }, cloud')
  .replace('ports: [', 'ports: ["8080:8080", ')

test('a stack whose one sidemint is the gates too is clean', async (t) => {
  t.notRegex(ONE_SIDEMINT, /gate:/)
  t.deepEqual(await faults(t, stack(SETTINGS, ONE_SIDEMINT)), [])
})

test('in a stack of one sidemint the names of gates are looked for at the server', async (t) => {
  const found = await faults(
    t,
    stack(SETTINGS, ONE_SIDEMINT.replace('aliases: [billing, partner]', 'aliases: [partner]')),
  )
  t.is(found.length, 1, JSON.stringify(found))
  t.regex(found[0]?.what ?? '', /gates\[0\]\.host is billing, and no network gives sidemint that name/)
  const far = ONE_SIDEMINT.replace(
    'billing-app: { build: ., networks: [default, cloud]',
    'billing-app: { build: ., networks: [far]',
  )
  const apart = (await faults(t, stack(SETTINGS, far))).map(({ what }) => what).join()
  t.regex(apart, /billing-app shares no network with sidemint/)
})

/** Nothing is renamed: callers have a link, and sidemint, which has none, finds the service by its own name. */
const LINKED = STACK.replace(/ {2}gate:\n(?: {4}.*\n)*/, '')
  .replace('billing-app:', 'billing:')
  .replace('orders: { build: .,', 'orders: { build: ., links: ["sidemint:billing", "sidemint:partner"],')
const UNNAMED = SETTINGS.replace('[billing-app]', '[billing]').replace('billing-app:8080', 'billing:8080')

test('a gate may have the name of its service, where a caller has a link to sidemint under it', async (t) => {
  t.deepEqual(await faults(t, stack(UNNAMED, LINKED)), [])
  const elsewhere = LINKED.replace('sidemint:billing', 'work:billing')
  const [found] = await faults(t, stack(UNNAMED, elsewhere))
  t.regex(found?.what ?? '', /gates\[0\]\.host is billing, .* callers reach billing past the gate/)
  t.regex(found?.fix ?? '', /or in each of its callers: links: \["sidemint:billing"\]$/)
})

test('a misspelt host of a gate is compared with the names that lead callers to sidemint', async (t) => {
  const [found, ...others] = await faults(t, stack(UNNAMED.replace('host: billing', 'host: biling'), LINKED))
  t.deepEqual(others, [])
  t.regex(found?.what ?? '', /^gates\[0\]\.host is biling, .* so callers find no service \(did you mean billing\?\)$/)
  t.is(found?.fix, 'name one of billing')
  const aliased = await faults(t, stack(SETTINGS.replace('host: billing', 'host: bilings'), STACK))
  t.deepEqual(
    aliased.map(({ fix }) => fix),
    ['name one of billing'],
  )
})

test("a gate's port may be published for everybody, an identity's may not", async (t) => {
  const open = ONE_SIDEMINT.replace('"127.0.0.1:16926:16926"', '"16926:16926"')
  const found = await faults(t, stack(SETTINGS, open))
  t.is(found.length, 1, JSON.stringify(found))
  t.regex(found[0]?.what ?? '', /its port 16926:16926 is published on every address/)
  t.regex(found[0]?.fix ?? '', /"127\.0\.0\.1:16926:16926"$/)
})

test('the override file is laid over the stack, as Compose does it', async (t) => {
  const override = STACK.replace(/^ {2}(orders|work|billing-app): .*\n/gm, '')
  const [networks = ''] = STACK.match(/^networks:[\s\S]*/m) ?? []
  const own = `name: shop\nservices:\n${(STACK.match(/^ {2}(orders|work|billing-app): .*\n/gm) ?? []).join('')}${networks}`
  const files = {
    'compose.yaml': own,
    'compose.override.yaml': override,
    'sidemint/sidemint.yaml': SETTINGS,
  }
  t.deepEqual(await faults(t, files, ['compose.override.yaml']), [])
  const typo = { ...files, 'sidemint/sidemint.yaml': SETTINGS.replace('[billing-app]', '[biling-app]') }
  t.is((await faults(t, typo, ['compose.override.yaml'])).length, 1)
})

/** One mistake, in the settings or in the stack, and the one line that tells it. */
const MISTAKES: [title: string, from: string, to: string, what: RegExp, fix: RegExp][] = [
  [
    'a typo in callers',
    '[billing-app]',
    '[biling-app]',
    /identities\[1\]\.callers names biling-app, .* \(did you mean billing-app\?\)/,
    /^name one of orders, work, worker, billing-app$/,
  ],
  [
    'a caller of another service that ends alike',
    'shop-orders-2',
    'orders-app',
    /identities\[0\]\.callers names orders-app/,
    /name one of/,
  ],
  [
    "a gate's missing alias",
    'aliases: [billing, partner]',
    'aliases: [partner]',
    /gates\[0\]\.host is billing, and no network gives gate that name, so callers find no service/,
    /aliases: \[billing\]/,
  ],
  [
    "a gate's name that its service has too",
    'billing-app: { build',
    'billing-app: { container_name: billing, build',
    /gates\[0\]\.host is billing, and billing-app has that name too, so callers reach billing-app past the gate/,
    /another name for billing-app/,
  ],
  [
    'an upstream that no service has',
    'http://billing-app:8080',
    'http://biling-app:8080',
    /gates\[0\]\.upstream is http:\/\/biling-app:8080, and no service of the stack has that name \(did you mean billing-app\?\)/,
    /name one of/,
  ],
  [
    'an upstream that is the gate itself',
    'http://billing-app:8080',
    'http://billing:8080',
    /gates\[0\]\.upstream is http:\/\/billing:8080, and that is sidemint's own name/,
    /name one of .*billing-app/,
  ],
  [
    'an upstream on another network',
    'billing-app: { build: ., networks: [default, cloud]',
    'billing-app: { build: ., networks: [far, cloud]',
    /billing-app shares no network with gate/,
    /one network/,
  ],
  [
    'an invoker that no identity is',
    `serviceAccount:${ORDERS}`,
    'serviceAccount:order@acme-dev.iam.gserviceaccount.com',
    /gates\[0\]\.invoker admits order@\S+, and no identity is that account \(did you mean orders@/,
    /name one of orders@/,
  ],
  [
    "an identity's port that is not published",
    'ports: ["127.0.0.1:16926:16926"]',
    'ports: ["127.0.0.1:16927:16927"]',
    /identities\[0\]\.port is 16926, and sidemint does not publish it/,
    /^ports: \["127\.0\.0\.1:16926:16926"\]$/,
  ],
  [
    "an identity's host that nobody has",
    'aliases: [jobs.metadata.internal]',
    'aliases: [job.metadata.internal]',
    /identities\[0\]\.hosts names jobs\.metadata\.internal, and no sidemint has that name/,
    /aliases: \[jobs\.metadata\.internal\]/,
  ],
  [
    'settings from a wrong folder',
    './sidemint:/etc',
    './config:/etc',
    /sidemint takes its settings from \S+\/config\/sidemint\.yaml, which cannot be read \(ENOENT\)/,
    /the directory in which sidemint\.yaml lies/,
  ],
  [
    'a gate without its settings',
    '    volumes: ["./sidemint:/etc/sidemint:ro"]\n    networks: { default: { aliases',
    '    networks: { default: { aliases',
    /gate does not mount \S+\/sidemint, where the stack's settings are/,
    /in gate$/,
  ],
  [
    'an unknown key',
    'identities:',
    'identitys: []\nidentities:',
    /identitys: unknown setting \(did you mean identities\?\)/,
    /./,
  ],
  [
    'a tab in the YAML',
    '    callers: [billing-app]',
    '\tcallers: [billing-app]',
    /sidemint\.yaml: Tabs are not allowed/,
    /^correct \S+sidemint\.yaml$/,
  ],
  [
    'a sidemint that has no way out',
    'networks: { default: {}, cloud: { ipv4',
    'networks: { cloud: { ipv4',
    /only on cloud, which has inhibit_ipv4, so its published ports lead nowhere/,
    /default: \{\}/,
  ],
  [
    'the loopback of a container',
    'orders: { build: .',
    'orders: { build: ., environment: { GCE_METADATA_HOST: "localhost:16925" }',
    /GCE_METADATA_HOST is localhost:16925, the loopback of orders itself/,
    /^GCE_METADATA_HOST: sidemint$/,
  ],
  [
    'a variable of ours that is misspelt',
    '    image: sidemint\n    ports',
    '    image: sidemint\n    environment: { SIDEMINT_SOURC: local }\n    ports',
    /^SIDEMINT_SOURC: unknown variable \(did you mean SIDEMINT_SOURCE\?\)$/,
    /./,
  ],
  [
    'a variable that forbids the look for a metadata server',
    'orders: { build: .',
    'orders: { build: ., environment: { NO_GCE_CHECK: "True" }',
    /NO_GCE_CHECK is set, so Python's and Java's libraries look for no metadata server/,
    /^remove it from orders$/,
  ],
  [
    'a proxy beside the fixed address',
    'orders: { build: .',
    'orders: { build: ., environment: { HTTP_PROXY: "http://proxy:3128" }',
    /HTTP_PROXY is set and NO_PROXY does not name 169\.254\.169\.254/,
    /add 169\.254\.169\.254,metadata\.google\.internal to NO_PROXY/,
  ],
  [
    "an upstream at the gate's own loopback",
    'upstream: http://billing-app:8080',
    'upstream: http://localhost:8080',
    /^gates\[0\]\.upstream is http:\/\/localhost:8080, the loopback of gate itself, where no service answers$/,
    /host\.docker\.internal/,
  ],
  [
    'an address that is not in the subnet of its network',
    'networks:\n  cloud: {',
    'networks:\n  cloud: { ipam: { config: [{ subnet: 10.5.0.0/24 }] },',
    /^its address 169\.254\.169\.254 is not in 10\.5\.0\.0\/24, the subnet of the network cloud$/,
    /such as 169\.254\.169\.0\/24$/,
  ],
  [
    'a port of the host that two services publish',
    'work: { image: worker',
    'work: { ports: ["16926:1"], image: worker',
    /^it publishes 127\.0\.0\.1:16926:16926, and work publishes the same port of the host$/,
    /^give work another port$/,
  ],
  [
    'a control secret that is too short',
    '    image: sidemint\n    ports',
    '    image: sidemint\n    environment: { SIDEMINT_CONTROL_SECRET: planted }\n    ports',
    /^SIDEMINT_CONTROL_SECRET: must be at least 16 characters/,
    /./,
  ],
]

for (const [title, from, to, what, fix] of MISTAKES) {
  test(`a failure: ${title}`, async (t) => {
    t.true((SETTINGS + STACK).includes(from))
    const found = await faults(t, stack(SETTINGS.replace(from, to), STACK.replace(from, to)))
    t.like(found, [{ status: 'fail' }], JSON.stringify(found))
    t.is(found.length, 1, JSON.stringify(found))
    t.regex(found[0]?.what ?? '', what)
    t.regex(found[0]?.fix ?? '', fix)
  })
}

test('two services with one address are a failure, unless they are of different profiles', async (t) => {
  const other = '  other: { image: b, networks: { cloud: { ipv4_address: 169.254.169.254 } }'
  const both = (more = '') => STACK.replace('  orders:', `${other}${more} }\n  orders:`)
  const found = await faults(t, stack(SETTINGS, both()))
  t.true(found.some(({ status, what }) => status === 'fail' && /^other has its address 169\.254/.test(what)))
  const apart = await faults(t, stack(SETTINGS, both(', profiles: [b]')))
  t.false(apart.some(({ what }) => what.includes('has its address')))
})

test('a caller that waits for sidemint and is not led to it is a failure, though it calls a gate', async (t) => {
  const CALLS = 'environment: { BILLING: "http://billing:8080" }, '
  for (const way of ['', 'network_mode: host, ', CALLS]) {
    const lost = STACK.replace('orders: { build: ., networks: [default, cloud], ', `orders: { build: ., ${way}`)
    const found = (await faults(t, stack(SETTINGS, lost))).filter(({ status }) => status === 'fail')
    t.is(found.length, 1, JSON.stringify(found))
    t.regex(found[0]?.what ?? '', /^identities\[0\]\.callers names orders, and nothing points its clients at sidemint$/)
  }
  const verifier = 'orders: { build: ., environment: { JWKS: "http://sidemint/oauth2/v3/certs" }, '
  t.deepEqual(
    await faults(t, stack(SETTINGS, STACK.replace('orders: { build: ., networks: [default, cloud], ', verifier))),
    [],
  )
})

test('clients that ask another port than the one that sidemint listens on are a failure', async (t) => {
  const moved = STACK.replace(
    '    image: sidemint\n',
    '    image: sidemint\n    environment: { SIDEMINT_PORT: 8080 }\n',
  )
  const byAddress = await faults(t, stack(SETTINGS, moved))
  t.deepEqual(
    [...new Set(byAddress.map(({ what }) => what))],
    ['it asks sidemint on port 80, and sidemint listens on 8080'],
  )
  const npx = 'image: node:24\n    working_dir: /etc/sidemint\n    command: npx sidemint serve --host 0.0.0.0\n'
  for (const [settings, compose] of [
    [SETTINGS, STACK.replace('image: sidemint\n', npx)],
    [`port: 16925\n${SETTINGS}`, STACK],
  ] as const) {
    const found = await faults(t, stack(settings, compose))
    t.deepEqual(
      [...new Set(found.map(({ what, fix }) => `${what}: ${fix}`))],
      ['it asks sidemint on port 80, and sidemint listens on 16925: SIDEMINT_PORT: 80 in sidemint'],
    )
  }
  const pointed = (port: number) => {
    const names = ['HOST', 'IP', 'ROOT'].map((name) => `GCE_METADATA_${name}: "sidemint:${port}"`)
    return STACK.replace('orders: { build: .', `orders: { build: ., environment: { ${names.join(', ')} }`)
  }
  t.regex((await faults(t, stack(SETTINGS, pointed(8080))))[0]?.what ?? '', /on port 8080, and sidemint listens on 80$/)
  t.deepEqual(await faults(t, stack(SETTINGS, pointed(16926))), [], "an identity's own port")
})

test('settings that are mounted at another place are a failure, and so is a folder of that name that is not mounted', async (t) => {
  for (const volumes of ['["./sidemint:/etc/sidemint.d:ro"]', '[]']) {
    const found = await faults(t, stack(SETTINGS, ONE_SIDEMINT.replace('["./sidemint:/etc/sidemint:ro"]', volumes)))
    t.regex(
      found.find(({ check }) => check === 'sidemint.yaml')?.what ?? '',
      /sidemint\/sidemint\.yaml is not mounted into sidemint, which looks for \/etc\/sidemint\//,
    )
  }
})

test('settings beside the compose file that nobody mounts are a failure, and so are named ones', async (t) => {
  const bare =
    'services: { sidemint: { image: sidemint }, app: { image: a, depends_on: { sidemint: { condition: service_healthy } }, environment: { GCE_METADATA_HOST: sidemint, GCE_METADATA_IP: sidemint, GCE_METADATA_ROOT: sidemint } } }'
  t.deepEqual(await faults(t, { 'compose.yaml': bare }), [])
  const beside = await faults(t, { 'compose.yaml': bare, 'sidemint.yaml': SETTINGS })
  t.is(beside.length, 1)
  t.regex(
    beside[0]?.what ?? '',
    /sidemint\.yaml is not mounted into sidemint, which looks for \/etc\/sidemint\/sidemint\.yaml/,
  )
  const built = bare.replace(
    'image: sidemint',
    'build: ., networks: { default: { aliases: [metadata.google.internal] } }',
  )
  const of = (dockerfile: string) =>
    faults(t, { 'compose.yaml': built, 'sidemint.yaml': SETTINGS, Dockerfile: `FROM sidemint\n${dockerfile}\n` })
  t.regex((await of('COPY src sidemint.js ./'))[0]?.what ?? '', /sidemint\.yaml is not mounted into sidemint/)
  for (const copied of ['. .', '--chown=1:1 a \\\n sidemint.yaml ./', '["conf", "/etc/sidemint/"]']) {
    t.false(
      (await of(`COPY ${copied}`)).some(({ what }) => what.includes('not mounted')),
      copied,
    )
  }
  const named = bare.replace('image: sidemint', 'image: sidemint, environment: { SIDEMINT_CONFIG: /c/s.yaml }')
  const found = await faults(t, { 'compose.yaml': named })
  t.regex(found[0]?.what ?? '', /sidemint should read \/c\/s\.yaml, and nothing is mounted there/)
  t.is(found.length, 1)
})

test('a variable that does not go together with the mounted settings is a failure: that sidemint would not start', async (t) => {
  const settings = SETTINGS.replace(
    'identities:',
    'identities:\n  - serviceAccount: default@acme-dev.iam.gserviceaccount.com',
  )
  t.deepEqual(await faults(t, stack(settings, STACK)), [])
  const environment = `environment: { SIDEMINT_IMPERSONATE_SERVICE_ACCOUNT: "${ORDERS}" }`
  const found = await faults(
    t,
    stack(settings, STACK.replace('sidemint\n    ports', `sidemint\n    ${environment}\n    ports`)),
  )
  t.is(found.length, 1, JSON.stringify(found))
  t.like(found[0], { check: 'compose:sidemint', status: 'fail', code: 'SETTINGS_INVALID' })
  t.regex(found[0]?.what ?? '', /--impersonate-service-account .*default identity/)
})

test("where nothing is published, as with real tokens, an identity's port need not be either", async (t) => {
  t.deepEqual(await faults(t, stack(SETTINGS, STACK.replace('["127.0.0.1:16926:16926"]', '[]'))), [])
})

test('settings are found where a flag or a variable names them, in the nearest mount', async (t) => {
  for (const how of [
    'command: [serve, --config, /c/s.yaml]',
    'command: [serve, --config=/c/s.yaml]',
    'user: "1", environment: { SIDEMINT_CONFIG: /c/s.yaml }',
  ]) {
    const compose = `services: { sidemint: { image: sidemint, ${how}, volumes: ["./far:/", "./near:/c"] } }`
    const found = await faults(t, { 'compose.yaml': compose, 'near/s.yaml': 'projekt: x' })
    t.regex(found.find(({ check }) => check === 's.yaml')?.what ?? '', /near\/s\.yaml: projekt: unknown setting/, how)
  }
})

test('the default account may invoke, and a gate that its flags describe needs no settings', async (t) => {
  const settings = `serviceAccount: default@acme-dev.iam.gserviceaccount.com\n${SETTINGS.replace(
    `serviceAccount:${ORDERS}`,
    'serviceAccount:default@acme-dev.iam.gserviceaccount.com',
  )}`
  t.deepEqual(await faults(t, stack(settings, STACK)), [])
  const alone = `${STACK.slice(0, STACK.indexOf('networks:\n'))}  front: { image: sidemint, command: [gate, --upstream, "http://work"] }\n${STACK.slice(STACK.indexOf('networks:\n'))}`
  t.deepEqual(await faults(t, stack(SETTINGS, alone)), [])
})

test('an image that is built may bring the settings that it names', async (t) => {
  const built = 'services: { sidemint: { build: ./sidemint, environment: { SIDEMINT_CONFIG: /c/s.yaml } } }'
  const found = await faults(t, { 'compose.yaml': built })
  t.deepEqual(
    found.map(({ check }) => check),
    ['compose'],
  )
})

test("a proxy that Docker's own configuration gives to every container is one too, and its address is not told", async (t) => {
  const HOME = mkdtempSync(join(tmpdir(), 'sidemint-home-'))
  t.teardown(() => rmSync(HOME, { recursive: true, force: true }))
  mkdirSync(join(HOME, '.docker'))
  const configure = (more: object) =>
    writeFileSync(
      join(HOME, '.docker', 'config.json'),
      JSON.stringify({ proxies: { default: { httpProxy: 'http://ann:s3cret@proxy.example:3128', ...more } } }),
    )
  configure({})
  const found = await faults(t, stack(SETTINGS, STACK), [], HOME)
  t.deepEqual(
    found.map(({ check, status }) => [check, status]),
    [
      ['compose:orders', 'fail'],
      ['compose:billing-app', 'fail'],
    ],
  )
  t.regex(
    found[0]?.what ?? '',
    /^HTTP_PROXY is set by Docker's own config\.json and NO_PROXY does not name 169\.254\.169\.254/,
  )
  t.notRegex(JSON.stringify(found), /s3cret|proxy\.example/)
  configure({ noProxy: '169.254.169.254,metadata.google.internal' })
  t.deepEqual(await faults(t, stack(SETTINGS, STACK), [], HOME), [])
  configure({})
  const off = STACK.replaceAll('build: .', 'build: ., environment: { HTTP_PROXY: "", http_proxy: "" }')
  t.deepEqual(await faults(t, stack(SETTINGS, off), [], HOME), [], 'a service may take it away')
})

test('only a sidemint that asks Google or publishes a port needs a way out', async (t) => {
  const of = async (how: string, settings = '') => {
    const compose = `services: { sidemint: { image: sidemint, ${how}, volumes: ["./gcloud:/gcloud", "./s:/etc/sidemint"], networks: [cloud] } }
networks: { cloud: { driver_opts: { com.docker.network.bridge.inhibit_ipv4: "true" } } }`
    return (await faults(t, { 'compose.yaml': compose, 's/sidemint.yaml': settings })).map(({ what }) => what).join()
  }
  const shutIn = /only on cloud, which has inhibit_ipv4, so it does not reach Google/
  for (const [how, settings] of [
    ['user: "1", environment: { SIDEMINT_SOURCE: google }'],
    ['user: "1", environment: { SIDEMINT_CREDENTIALS: x }'],
    ['user: "1", environment: { GOOGLE_APPLICATION_CREDENTIALS: /gcloud/key.json }'],
    ['user: "1", environment: { SIDEMINT_SOURCE: local }, command: [serve, --source, google]'],
    ['user: "1"', 'source: google'],
    ['user: "1"', 'impersonateServiceAccount: [a@b.iam.gserviceaccount.com]'],
  ] as const)
    t.regex(await of(how, settings), shutIn, how + settings)
  for (const [how, settings] of [
    ['user: "1", environment: { SIDEMINT_SOURCE: local }', 'source: google'],
    ['user: "1", environment: { SIDEMINT_CREDENTIALS: x }, command: [--source=local]'],
    ['user: "1"', 'source: local'],
    ['user: "1"'],
  ] as const)
    t.notRegex(await of(how, settings), /inhibit_ipv4/, how + settings)
})

test('where the stack has no service that could be named, the fix says to add one', async (t) => {
  const alone = STACK.replace(/ {2}(orders|work|billing-app): .*\n/g, '')
  const found = await faults(t, stack(SETTINGS, alone))
  const fixes = found.filter(({ what }) => /no service of the stack has that name/.test(what)).map(({ fix }) => fix)
  t.true(fixes.length > 1, JSON.stringify(found))
  for (const fix of fixes) t.is(fix, 'add that service to the stack')
})
