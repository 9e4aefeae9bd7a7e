import test from 'ava'
import { parse, stringify } from 'yaml'
import { KEY_HOSTS } from '../../src/core/google.ts'
import { checkCompose } from '../../src/doctor/compose/index.ts'
import { describeReceiver } from '../../src/env/receiver.ts'

type Data = Record<string, unknown>

const ENTRIES = parse(describeReceiver().split('\n\n')[0] ?? '') as Data & { extra_hosts: string[] }
const ALIASES = [...KEY_HOSTS]

/** The findings of a stack whose receiver has these entries. */
async function findings(receiver: Data, sidemint: Data = {}) {
  const all = await allFindings(receiver, sidemint)
  return all.filter(({ check, what }) =>
    /stand-in|key hosts|certificate|it finds the real|private keys/.test(`${check} ${what}`),
  )
}

async function allFindings(receiver: Data, sidemint: Data = {}) {
  const stack = {
    services: {
      sidemint: {
        image: 'sidemint',
        environment: {
          SIDEMINT_SOURCE: 'local',
          SIDEMINT_STAND_IN: '/var/lib/stand-in',
          SIDEMINT_KEY_FILE: '/var/lib/sidemint/key.pem',
        },
        volumes: ['stand-in:/var/lib/stand-in', 'keys:/var/lib/sidemint'],
        networks: { default: {}, metadata: { ipv4_address: '169.254.169.254', aliases: ['metadata.google.internal'] } },
        ...sidemint,
      },
      billing: { build: '.', networks: ['default', 'metadata'], ...receiver },
    },
  }
  return checkCompose({ files: ['-'], env: { HOME: '/nonexistent', PATH: '' }, stdin: async () => stringify(stack) })
}

test('what `env --receiver` prints is found good', async (t) => {
  const all = await findings(ENTRIES)
  t.deepEqual(
    all.map(({ check, status, what }) => [check, status, what]),
    [['compose:billing', 'ok', "verifies with Google's libraries by the stand-in of sidemint"]],
  )
})

test('a receiver whose keys a proxy fetches is told so, unless it spares the hosts', async (t) => {
  const environment = { ...(ENTRIES.environment as Data), HTTPS_PROXY: 'http://u:planted@proxy:3128' }
  const found = await allFindings({ ...ENTRIES, environment })
  const finding = found.find(({ what }) => what.startsWith('HTTPS_PROXY is set') && what.includes('www.googleapis.com'))
  t.like(finding, { status: 'fail' })
  t.false(JSON.stringify(found).includes('planted'))
  const spared = { ...environment, NO_PROXY: `169.254.169.254,metadata.google.internal,${KEY_HOSTS.join(',')}` }
  t.false((await allFindings({ ...ENTRIES, environment: spared })).some(({ what }) => what.includes('HTTPS_PROXY')))
})

test('a receiver is told where its sidemint has no stand-in, and a stand-in where Google signs', async (t) => {
  const [without] = await findings({ ...ENTRIES, extra_hosts: [] }, { environment: { SIDEMINT_SOURCE: 'local' } })
  t.like(without, {
    status: 'fail',
    what: 'its variables name the certificate of a stand-in, and sidemint has no --stand-in',
  })
  const environment = { SIDEMINT_SOURCE: 'google', SIDEMINT_STAND_IN: '/var/lib/stand-in' }
  const found = await findings(ENTRIES, { environment })
  t.true(
    found.some(
      ({ check, status, what }) => check === 'compose:sidemint' && status === 'fail' && /real credentials/.test(what),
    ),
  )
})

test('so is a way by aliases on a network of both', async (t) => {
  const { extra_hosts, ...others } = ENTRIES
  const sidemint = { networks: { default: {}, receivers: { aliases: ALIASES } } }
  const [finding] = await findings({ ...others, networks: ['default', 'receivers'] }, sidemint)
  t.is(finding?.status, 'ok')
  const all = await allFindings({ ...others, networks: ['default', 'receivers'] }, sidemint)
  t.false(
    all.some(({ what }) => what.includes('nothing points its clients')),
    'it waits for sidemint to verify',
  )
  const [apart] = await findings({ ...others, networks: ['default'] }, sidemint)
  t.like(apart, { status: 'fail' })
  t.regex(apart?.what ?? '', /it finds the real www\.googleapis\.com, /)
})

const WRONG: [name: string, receiver: Data, sidemint: Data, what: RegExp][] = [
  [
    'a host that is missing',
    { ...ENTRIES, extra_hosts: ENTRIES.extra_hosts.slice(1) },
    {},
    /it finds the real www\.googleapis\.com, whose keys do not verify/,
  ],
  ['no mount', { ...ENTRIES, volumes: [] }, {}, /does not mount the stand-in's directory of sidemint/],
  ['no variable', { ...ENTRIES, environment: {} }, {}, /nothing makes it trust the certificate \(none of NODE_EXTRA/],
  [
    'a variable that leads elsewhere',
    { ...ENTRIES, environment: { NODE_EXTRA_CA_CERTS: '/etc/corp.pem' } },
    {},
    /nothing makes it trust/,
  ],
  [
    'the certificate alone where it replaces all others',
    { ...ENTRIES, environment: { SSL_CERT_FILE: '/etc/sidemint-stand-in/certificate.pem' } },
    {},
    /SSL_CERT_FILE is .* replaces every other certificate/,
  ],
  [
    'a name that the stand-in does not write',
    { ...ENTRIES, environment: { NODE_EXTRA_CA_CERTS: '/etc/sidemint-stand-in/cert.pem' } },
    {},
    /NODE_EXTRA_CA_CERTS is \/etc\/sidemint-stand-in\/cert\.pem, which the stand-in does not write/,
  ],
  [
    'the path that the directory has in sidemint',
    { ...ENTRIES, environment: { REQUESTS_CA_BUNDLE: '/var/lib/stand-in/bundle.pem' } },
    {},
    /REQUESTS_CA_BUNDLE is \/var\/lib\/stand-in\/bundle\.pem, and the directory is mounted at \/etc\/sidemint-stand-in/,
  ],
  [
    "Java's options without a trust store",
    { ...ENTRIES, environment: { JAVA_TOOL_OPTIONS: '-Xmx1g' } },
    {},
    /JAVA_TOOL_OPTIONS does not set javax\.net\.ssl\.trustStore/,
  ],
  [
    'a certificate as the trust store of Java, which reads no PEM',
    { ...ENTRIES, environment: { JAVA_TOOL_OPTIONS: '-Djavax.net.ssl.trustStore=/etc/sidemint-stand-in/bundle.pem' } },
    {},
    /JAVA_TOOL_OPTIONS names \/etc\/sidemint-stand-in\/bundle\.pem, and Java reads no PEM/,
  ],
  [
    'hosts that lead to an address which sidemint has not',
    { ...ENTRIES, extra_hosts: KEY_HOSTS.map((host) => `${host}:10.0.0.1`) },
    {},
    /leads www\.googleapis\.com, .* to 10\.0\.0\.1, which sidemint does not have on a network of billing/,
  ],
  [
    "hosts whose address is on a network that is not the receiver's",
    { ...ENTRIES, networks: ['default'] },
    {},
    /leads .* to 169\.254\.169\.254, which sidemint does not have on a network of billing/,
  ],
  [
    'another volume',
    { ...ENTRIES, volumes: ['certs:/etc/sidemint-stand-in:ro'] },
    {},
    /does not mount the stand-in's directory of sidemint/,
  ],
  [
    "sidemint's keys",
    { ...ENTRIES, volumes: [...(ENTRIES.volumes as string[]), 'keys:/keys'] },
    {},
    /it mounts the private keys of sidemint/,
  ],
  [
    'an order that only waits for the start',
    { ...ENTRIES, depends_on: ['sidemint'] },
    {},
    /it may start before sidemint has written the certificate/,
  ],
  ['a port of its own', ENTRIES, { command: ['--stand-in-port=8443'] }, /listens on 8443, and .* know port 443 only/],
  [
    'a directory that sidemint may not write to',
    ENTRIES,
    { volumes: ['stand-in:/var/lib/stand-in:ro', 'keys:/var/lib/sidemint'] },
    /mounted read-only, and sidemint writes to it/,
  ],
  [
    'variables alone',
    { networks: ['default', 'metadata'], environment: ENTRIES.environment, depends_on: ENTRIES.depends_on },
    {},
    /does not mount the stand-in's directory|it finds the real/,
  ],
  ['no order', { ...ENTRIES, depends_on: {} }, {}, /it may start before sidemint has written the certificate/],
  ['no stand-in', ENTRIES, { environment: {} }, /no sidemint of the stack has --stand-in/],
  ['nothing mounted at the stand-in', {}, { volumes: [] }, /nothing is mounted there, so no receiver sees/],
  ['hosts of sidemint itself', ENTRIES, { extra_hosts: ['www.googleapis.com:10.0.0.1'] }, /sends its own questions/],
]
for (const [name, receiver, sidemint, what] of WRONG) {
  test(`${name} is found, with what to write`, async (t) => {
    const found = (await findings(receiver, sidemint)).filter(({ status }) => status !== 'ok')
    for (const finding of found) t.regex(finding.what, what)
    t.true(found.length > 0)
    for (const { fix } of found) t.truthy(fix)
  })
}

test('the fix is the line to write, as sidemint has it in this stack', async (t) => {
  const fixOf = async (receiver: Data) =>
    (await findings({ ...ENTRIES, ...receiver })).filter(({ status }) => status !== 'ok').map(({ fix }) => fix)
  t.deepEqual(await fixOf({ volumes: [] }), ['volumes: ["stand-in:/etc/sidemint-stand-in:ro"]'])
  t.deepEqual(await fixOf({ extra_hosts: ENTRIES.extra_hosts.slice(1) }), [
    'extra_hosts: ["www.googleapis.com:169.254.169.254"]',
  ])
  t.regex(
    (await fixOf({ networks: ['default'] }))[0] ?? '',
    /^extra_hosts: \[.*\], and the network metadata in billing$/,
  )
})

test('a directory of the host may hold the directory, and what is mounted of it is compared by its path', async (t) => {
  const sidemint = { volumes: ['./data:/var/lib'] }
  const { volumes, ...others } = ENTRIES
  const shown = { ...others, volumes: ['./data/stand-in:/etc/sidemint-stand-in:ro'] }
  t.is((await findings(shown, sidemint))[0]?.status, 'ok')
  const whole = { ...others, volumes: ['./data:/data:ro'], environment: { SSL_CERT_FILE: '/data/stand-in/bundle.pem' } }
  const found = await findings(whole, sidemint)
  t.is(found.length, 1, JSON.stringify(found))
  t.regex(found[0]?.what ?? '', /private keys of sidemint at \/data/)
})

test('who finds sidemint under the names of the hosts by a network, and has not its directory, is told', async (t) => {
  const networks = { default: {}, receivers: { aliases: ALIASES } }
  const [finding] = await findings({ networks: ['default', 'receivers'] }, { networks })
  t.like(finding, { status: 'warn' })
  t.regex(finding?.what ?? '', /it finds sidemint as www\.googleapis\.com, .* on the network receivers/)
})

test("PHP, which reads no variable, is known from its command; Node.js may have the bundle too; nobody's options are shown", async (t) => {
  const php = {
    ...ENTRIES,
    environment: {},
    command: 'php -d curl.cainfo=/etc/sidemint-stand-in/bundle.pem -S 0.0.0.0:80',
  }
  t.is((await findings(php))[0]?.status, 'ok')
  const node = { ...ENTRIES, environment: { NODE_EXTRA_CA_CERTS: '/etc/sidemint-stand-in/bundle.pem' } }
  t.is((await findings(node))[0]?.status, 'ok')
  const JAVA_TOOL_OPTIONS = '-Dpassword=hunter2 -Djavax.net.ssl.trustStore=/etc/sidemint-stand-in/certificate.pem'
  t.notRegex(JSON.stringify(await findings({ ...ENTRIES, environment: { JAVA_TOOL_OPTIONS } })), /hunter2/)
})

test('the directory is known from the command line too, and a service that is no receiver is left alone', async (t) => {
  const sidemint = { environment: {}, command: ['serve', '--source=local', '--stand-in=/var/lib/stand-in'] }
  t.is((await findings(ENTRIES, sidemint))[0]?.status, 'ok')
  t.deepEqual(await findings({}), [])
})
