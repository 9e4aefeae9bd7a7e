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
  return all.filter(({ check, what }) => /stand-in|key hosts|certificate|it finds the real/.test(`${check} ${what}`))
}

async function allFindings(receiver: Data, sidemint: Data = {}) {
  const stack = {
    services: {
      sidemint: {
        image: 'sidemint',
        environment: { SIDEMINT_SOURCE: 'local', SIDEMINT_STAND_IN: '/var/lib/stand-in' },
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
  ['no order', { ...ENTRIES, depends_on: {} }, {}, /it may start before sidemint has written the certificate/],
  ['no stand-in', ENTRIES, { environment: {} }, /no sidemint of the stack has --stand-in/],
  ['nothing mounted at the stand-in', {}, { volumes: [] }, /nothing is mounted there, so no receiver sees/],
  ['hosts of sidemint itself', ENTRIES, { extra_hosts: ['www.googleapis.com:10.0.0.1'] }, /sends its own questions/],
]
for (const [name, receiver, sidemint, what] of WRONG) {
  test(`${name} is found, with what to write`, async (t) => {
    const found = (await findings(receiver, sidemint)).filter(({ status }) => status !== 'ok')
    t.is(found.length, 1, JSON.stringify(found))
    t.regex(found[0]?.what ?? '', what)
    t.truthy(found[0]?.fix)
  })
}

test('the directory is known from the command line too, and a service that is no receiver is left alone', async (t) => {
  const sidemint = { environment: {}, command: ['serve', '--source=local', '--stand-in=/var/lib/stand-in'] }
  t.is((await findings(ENTRIES, sidemint))[0]?.status, 'ok')
  t.deepEqual(await findings({}), [])
})
