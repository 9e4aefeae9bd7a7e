/** Google's paths over real HTTP, row by row. What each answers is in docs/wire.md, "Directories" and "Content types". */

import test from 'ava'
import { readClaims } from '../../src/core/token.ts'
import { type Sidemint, startSidemint } from '../../src/index.ts'
import { createHits, Hit } from '../../src/metadata/hits.ts'
import { accessLeaf, identityLeaf } from '../../src/metadata/leaves.ts'
import { createClock, MINUTE } from '../clock.ts'
import { ask, DEFAULT_ACCOUNT, FLAVOR, V1 } from '../http-client.ts'

const EMAIL = 'orders@acme-dev.iam.gserviceaccount.com'
const OTHER = 'someone@acme-dev.iam.gserviceaccount.com'
const clock = createClock()
const SETTINGS = {
  serviceAccount: EMAIL,
  project: 'acme-dev',
  projectNumber: '739419398126',
  now: clock.now,
} as const

let run: Sidemint
let vm: Sidemint
test.before(async () => {
  run = await startSidemint({ ...SETTINGS, allowAudience: ['https://*', 'api'] })
  vm = await startSidemint({
    ...SETTINGS,
    platform: 'gce',
    region: 'europe-west1',
    metadata: {
      instance: {
        id: 5775171277418378001n,
        description: null,
        tags: ['bread', 'butter'],
        attributes: { 'ssh-keys': 'a\nb', stage_1: 'dev', 'Kebab-Case': '<&>' },
        disks: [
          { 'device-name': 'boot', index: 0 },
          { 'device-name': 'data', index: 1 },
        ],
      },
      project: { attributes: { 'enable-oslogin': true } },
    },
  })
})
test.after.always(() => Promise.all([run.close(), vm.close()]))

const TEXT = 'application/text'
const JSON_TYPE = 'application/json'
const HTML = 'text/html'
const PAGE = 'text/html; charset=UTF-8'
const SCOPES = 'https://www.googleapis.com/auth/cloud-platform\nhttps://www.googleapis.com/auth/userinfo.email\n'
const ACCOUNT_JSON = `{"aliases":["default"],"email":"${EMAIL}","scopes":["https://www.googleapis.com/auth/cloud-platform","https://www.googleapis.com/auth/userinfo.email"]}`
const NO_AUDIENCE = 'non-empty audience parameter required'

interface Row {
  target: string
  status: number
  type: string
  body: string | RegExp
  headers?: Record<string, string>
}

const pageSays = (code: number, reason: string, sentence: string) =>
  new RegExp(
    `<title>Error ${code} \\(${reason}\\)!!1</title>[\\s\\S]*${code}\\.[\\s\\S]*That's an error\\.[\\s\\S]*${sentence.replace(/[.*+?()[\]\\|]/g, '\\$&')}[\\s\\S]*That's all we know\\.`,
  )
const unknown = (shown: string) =>
  pageSays(404, 'Not Found', `The requested URL <code>${shown}</code> was not found on this server.`)

const text = (target: string, body: string | RegExp): Row => ({ target: V1 + target, status: 200, type: TEXT, body })
const json = (target: string, body: string | RegExp): Row => ({
  target: V1 + target,
  status: 200,
  type: JSON_TYPE,
  body,
})
const missing = (target: string): Row => ({
  target: V1 + target,
  status: 404,
  type: PAGE,
  body: unknown((V1 + target).replaceAll('&', '&amp;')),
})
const bad = (target: string, body: string | RegExp): Row => ({ target: V1 + target, status: 400, type: HTML, body })
const moved = (target: string, path: string, query = ''): Row => ({
  target: target + query,
  status: 301,
  type: HTML,
  body: `${path}/\n`,
})

/** On a server that looks like Cloud Run (docs/wire.md, "The Cloud Run tree" and, for what is refused, docs/wire.md, "Errors"). */
const ON_CLOUD_RUN: Row[] = [
  { target: '/', status: 200, type: TEXT, body: '0.1/\ncomputeMetadata/\n' },
  { target: '/?recursive=true', status: 200, type: TEXT, body: '0.1/\ncomputeMetadata/\n' },
  { target: '/computeMetadata/', status: 200, type: TEXT, body: 'v1/\nv1beta1/\n' },
  text('/', 'instance/\noslogin/\nproject/\nuniverse/\n'),
  text(
    '/instance/',
    'attributes/\ndescription\nhostname\nid\nmachine-type\nmaintenance-event\nname\npreempted\nregion\nscheduling/\n' +
      'service-accounts/\ntags\nzone\n',
  ),
  text('/instance/machine-type', 'projects/739419398126/machineTypes/e2-standard-2'),
  text('/instance/hostname', 'sidemint.c.acme-dev.internal'),
  text('/instance/maintenance-event', 'NONE'),
  json('/instance/tags', '[]'),
  text('/instance/attributes/', ''),
  text('/oslogin/', ''),
  text('/project/', 'attributes/\nnumeric-project-id\nproject-id\n'),
  text('/project/project-id', 'acme-dev'),
  text('/project/numeric-project-id', '739419398126'),
  text('/instance/region', 'projects/739419398126/regions/us-central1'),
  text('/instance/zone', 'projects/739419398126/zones/us-central1-1'),
  text('/instance/id', /^[0-9a-f]{64}$/),
  text('/universe/universe-domain', 'googleapis.com'),
  text('/universe/universe-domain?recursive=true', 'googleapis.com'),
  json('/universe/universe-domain?alt=json', '"googleapis.com"'),
  json('/universe/universe-domain?alt=JSON', '"googleapis.com"'),
  json('/project/numeric-project-id?alt=json', '739419398126'),
  text('/instance/service-accounts/', `default/\n${EMAIL}/\n`),
  ...['default', EMAIL, EMAIL.replace('@', '%40')].flatMap((account) => [
    text(`/instance/service-accounts/${account}/`, 'aliases\nemail\nidentity\nscopes\ntoken\n'),
    text(`/instance/service-accounts/${account}/email`, EMAIL),
    text(`/instance/service-accounts/${account}/aliases`, 'default\n'),
    text(`/instance/service-accounts/${account}/scopes`, SCOPES),
    json(`/instance/service-accounts/${account}/?recursive=true`, ACCOUNT_JSON),
  ]),
  json('/instance/service-accounts/default/?recursive=True', ACCOUNT_JSON),
  ...['true', 'TRUE', 'on', 'yes', '1'].map((value) => json(`/instance/attributes/?recursive=${value}`, '{}')),
  ...['xyz', 'false', '0', ''].map((value) => text(`/instance/attributes/?recursive=${value}`, '')),
  json('/instance/service-accounts/?recursive=true', `{"default":${ACCOUNT_JSON},"${EMAIL}":${ACCOUNT_JSON}}`),
  json('/project/?recursive=true', '{"attributes":{},"numericProjectId":739419398126,"projectId":"acme-dev"}'),
  json('/project/?recursive=true&alt=json', '{"attributes":{},"numericProjectId":739419398126,"projectId":"acme-dev"}'),
  text('/project/?recursive=true&alt=text', 'numeric-project-id 739419398126\nproject-id acme-dev\n'),
  text(
    '/instance/service-accounts/default/?alt=text&recursive=true',
    `aliases default\nemail ${EMAIL}\n${SCOPES.replace(/^(?=.)/gm, 'scopes ')}`,
  ),
  text('/project/project-id?foo=bar', 'acme-dev'),
  text('//project//project-id', 'acme-dev'),
  { target: `/${V1}/project/project-id`, status: 200, type: TEXT, body: 'acme-dev' },
  { target: '//', status: 200, type: TEXT, body: '0.1/\ncomputeMetadata/\n' },
  text('/project/project%2Did', 'acme-dev'),

  moved('/computeMetadata', '/computeMetadata'),
  moved(V1, V1),
  moved(V1, V1, '?recursive=true'),
  moved(`${V1}/instance`, `${V1}/instance`),
  moved(`${V1}/instance/service-accounts`, `${V1}/instance/service-accounts`, '?recursive=true&alt=json'),
  moved(`${V1}/instance/service-accounts/${EMAIL}`, `${V1}/instance/service-accounts/${EMAIL}`),

  bad('/instance/service-accounts/default/identity', NO_AUDIENCE),
  bad('/instance/service-accounts/default/identity?audience=', NO_AUDIENCE),
  bad('/instance/service-accounts/default/identity?audience', NO_AUDIENCE),
  bad('/instance/service-accounts/default/identity?Audience=https://a.example', NO_AUDIENCE),
  bad('/instance/service-accounts/default/identity?audience=&audience=https://a.example', NO_AUDIENCE),
  bad('/project/project-id?alt=xml', /alt/),
  bad('/project/?recursive=true&alt=xml', /alt/),
  bad('/project/?alt=json', /recursive=true/),
  bad('/project/?alt=text', /recursive=true/),
  bad('/project/?wait_for_change=true', /recursive=true/),
  bad('/instance/service-accounts/default/token?wait_for_change=true', /wait_for_change/),
  bad('/instance/service-accounts/default/token?alt=xml', 'alt must be json or text'),
  bad('/project/project-id?timeout_sec=soon', /timeout_sec/),

  missing('/instance/service-accounts/default/email/'),
  missing('/instance/service-accounts/default/token/'),
  missing('/instance/service-accounts/default/identity/?audience=https://a.example'),
  missing('/instance/service-accounts/default/scopes/0'),
  missing('/instance/service-accounts/default/nothing'),
  missing(`/instance/service-accounts/${OTHER}/`),
  missing(`/instance/service-accounts/${OTHER}`),
  missing(`/instance/service-accounts/${OTHER}/email`),
  missing(`/instance/service-accounts/${OTHER}/token`),
  missing(`/instance/service-accounts/${OTHER}/identity?audience=https://a.example&format=full`),
  missing('/instance/attributes/cluster-name'),
  missing('/instance/cpu-platform'),
  missing('/instance/network-interfaces/'),
  ...['gce-workload-certificates/', 'workload-identities', 'credentials/'].map((key) => missing(`/instance/${key}`)),
  missing('/oslogin/users'),
  missing('/project/Project-Id'),
  missing('/universe/universe_domain'),
  missing('/unknown/'),
  { target: '/computemetadata/v1/', status: 404, type: PAGE, body: unknown('/computemetadata/v1/') },
  { target: '/computeMetadata/v2/', status: 404, type: PAGE, body: unknown('/computeMetadata/v2/') },
  { target: '/0.1/meta-data/', status: 404, type: PAGE, body: unknown('/0.1/meta-data/') },
  {
    target: '/0.1/meta-data/service-accounts/default/acquire',
    status: 404,
    type: PAGE,
    body: unknown('/0.1/meta-data/service-accounts/default/acquire'),
  },
  { target: '/latest/meta-data/', status: 404, type: PAGE, body: unknown('/latest/meta-data/') },
  {
    target: '/computeMetadata/v1beta1/instance/service-accounts/default/token',
    status: 403,
    type: PAGE,
    body: pageSays(
      403,
      'Forbidden',
      'Your client does not have permission to get URL <code>/computeMetadata/v1beta1/instance/service-accounts/default/token</code> from this server. Legacy metadata endpoint accessed: /computeMetadata/v1beta1/instance/service-accounts/default/token\nLegacy metadata endpoints are disabled. Please use the /v1/ endpoint.',
    ),
  },
  {
    target: `${V1}/instance/guest-attributes/ns/key`,
    status: 403,
    type: HTML,
    body: 'Guest attributes endpoint access is disabled.',
  },
  {
    target: `${DEFAULT_ACCOUNT}/identity?audience=ftp://a.example`,
    status: 400,
    type: HTML,
    body: '{"error":"AUDIENCE_NOT_ALLOWED","error_description":"the audience ftp://a.example is not allowed here. Fix: ask for an audience that --allow-audience lists (https://*, api), or add this one to it"}',
  },
]

/** On a server that looks like a VM, with data of the user's own laid over (docs/wire.md, "Recursion and formats"). */
const ON_A_VM: Row[] = [
  text(
    '/instance/',
    'attributes/\ncpu-platform\ndisks/\nhostname\nid\nimage\nlicenses/\nmachine-type\nmaintenance-event\nname\n' +
      'network-interfaces/\npartner-attributes/\npreempted\nremaining-cpu-time\nscheduling/\nservice-accounts/\ntags\nvirtual-clock/\nzone\n',
  ),
  missing('/instance/description'),
  missing('/instance/region'),
  text('/instance/zone', 'projects/739419398126/zones/europe-west1-a'),
  text('/instance/machine-type', 'projects/739419398126/machineTypes/e2-standard-2'),
  text('/instance/hostname', 'sidemint.c.acme-dev.internal'),
  text('/instance/preempted', 'FALSE'),
  text('/instance/scheduling/automatic-restart', 'TRUE'),
  json('/instance/preempted?alt=json', '"FALSE"'),
  text('/instance/id', '5775171277418378001'),
  json('/instance/id?alt=json', '5775171277418378001'),
  text('/instance/remaining-cpu-time', '-1'),
  text('/instance/network-interfaces/0/ip', '10.128.0.2'),
  text('/instance/network-interfaces/0/access-configs/0/external-ip', ''),
  text('/instance/network-interfaces/0/dns-servers', '169.254.169.254\n'),
  json('/instance/tags', '["bread","butter"]'),
  text('/instance/tags?alt=text', 'bread\nbutter\n'),
  text('/instance/disks/', '0/\n1/\n'),
  text('/instance/disks/0/', 'device-name\nindex\n'),
  text('/instance/disks/1/device-name', 'data'),
  json('/instance/disks/1/index?alt=json', '1'),
  json('/instance/disks/?recursive=true', '[{"deviceName":"boot","index":0},{"deviceName":"data","index":1}]'),
  text('/instance/disks/?recursive=true&alt=text', '0/device-name boot\n0/index 0\n1/device-name data\n1/index 1\n'),
  { ...moved(`${V1}/instance/disks/0`, `${V1}/instance/disks/0`) },
  missing('/instance/disks/9/'),
  missing('/instance/disks/00/'),
  missing('/instance/disks/-1/'),
  missing('/instance/disks/length'),
  missing('/instance/tags/0'),
  text('/instance/attributes/', 'Kebab-Case\nssh-keys\nstage_1\n'),
  text('/instance/attributes/ssh-keys', 'a\nb'),
  json('/instance/attributes/?recursive=true', '{"Kebab-Case":"<&>","ssh-keys":"a\\nb","stage_1":"dev"}'),
  text('/instance/attributes/?recursive=true&alt=text', 'Kebab-Case <&>\nssh-keys a\nb\nstage_1 dev\n'),
  json('/project/attributes/?recursive=true', '{"enable-oslogin":"TRUE"}'),
  json(
    '/instance/scheduling/?recursive=true',
    '{"automaticRestart":"TRUE","onHostMaintenance":"MIGRATE","preemptible":"FALSE"}',
  ),
  json('/instance/?recursive=true', /^\{"attributes":.*"id":5775171277418378001,.*"tags":\["bread","butter"\]/),
]

for (const [platform, running, rows] of [
  ['Cloud Run', () => run, ON_CLOUD_RUN],
  ['a VM', () => vm, ON_A_VM],
] as const) {
  const kinds = new Set<string>()
  for (const { target, status, type, body } of rows) {
    const isFirst = kinds.size < kinds.add(`${status} ${type}`).size
    test(`on ${platform} GET ${target} is ${status} ${type}${isFirst ? ', and HEAD the same without its body' : ''}`, async (t) => {
      const server = running()
      const reply = await ask(server.url, target)
      t.is(reply.status, status, reply.body)
      if (typeof body === 'string') t.is(reply.body, body)
      else t.regex(reply.body, body)
      const { headers } = reply
      t.is(headers['content-type'], type)
      t.is(headers['metadata-flavor'], 'Google')
      t.is(headers.server, 'Metadata Server for VM')
      t.is(headers['x-xss-protection'], '0')
      t.is(headers['x-frame-options'], 'SAMEORIGIN')
      t.is(headers['content-length'], String(Buffer.byteLength(reply.body)))
      t.is(headers['transfer-encoding'], undefined)
      t.is(headers['content-encoding'], undefined)
      t.truthy(headers.date)
      const [path = '', query] = target.split('?')
      if (status === 301) t.is(headers.location, `${server.url}${path}/${query === undefined ? '' : `?${query}`}`)
      else t.is(headers.location, undefined)
      if (status === 200 && target.startsWith(V1)) t.regex(String(headers.etag), /^[0-9a-f]{16}$/)
      if (status >= 300) t.is(headers.etag, undefined)
      if (!isFirst) return
      const head = await ask(server.url, target, { method: 'HEAD' })
      t.is(head.status, status)
      t.is(head.body, '')
      t.deepEqual({ ...head.headers, date: '' }, { ...headers, date: '' })
    })
  }
}

for (const [name, headers] of [
  ['no header', {}],
  ['a wrong flavor', { 'Metadata-Flavor': 'Not Google' }],
  ['the flavor', FLAVOR],
] as const) {
  test(`/ answers its listing with ${name}: probes send what they like there`, async (t) => {
    const reply = await ask(run.url, '/', { headers })
    t.is(reply.status, 200)
    t.is(reply.headers['metadata-flavor'], 'Google')
    t.is(reply.body, '0.1/\ncomputeMetadata/\n')
  })
}

test('an identity token is text/html without a charset, without a newline and without an ETag', async (t) => {
  const reply = await ask(run.url, `${DEFAULT_ACCOUNT}/identity?audience=https://billing.example/x?y=1`)
  t.is(reply.status, 200)
  t.is(reply.headers['content-type'], 'text/html')
  t.is(reply.headers['content-length'], String(reply.body.length))
  t.is(reply.headers.etag, undefined)
  t.is(reply.headers['cache-control'], undefined)
  t.regex(reply.body, /^[\w-]+\.[\w-]+\.[\w-]+$/)
})

test('HEAD of an identity token is answered as GET, without the token', async (t) => {
  const reply = await ask(run.url, `${DEFAULT_ACCOUNT}/identity?audience=https://head.example`, { method: 'HEAD' })
  t.is(reply.status, 200)
  t.true(Number(reply.headers['content-length']) > 500)
  t.is(reply.body, '')
})

/** As clients send them, encoded or not (docs/wire.md, "ID tokens"). */
const AUDIENCES: [query: string, audience: string][] = [
  ['audience=https://a.example', 'https://a.example'],
  ['audience=https://a.example/', 'https://a.example/'],
  ['audience=https%3A%2F%2Fa.example%2Fx%3Fy%3D1', 'https://a.example/x?y=1'],
  ['audience=https://a.example/x?y=1', 'https://a.example/x?y=1'],
  ['audience=https://a.example/x?y=1&z=2', 'https://a.example/x?y=1'],
  ['audience=https://a.example/%20+%2B', 'https://a.example/  +'],
  ['audience=api', 'api'],
  ['audience=https://first.example&audience=https://second.example', 'https://first.example'],
  ['licenses=FALSE&format=standard&audience=https://a.example&foo=bar', 'https://a.example'],
]
for (const [query, audience] of AUDIENCES) {
  test(`identity?${query} is for exactly ${audience}`, async (t) => {
    const { status, body } = await ask(run.url, `${DEFAULT_ACCOUNT}/identity?${query}`)
    t.is(status, 200, body)
    t.is(readClaims(body)?.aud, audience)
  })
}

for (const [query, hasEmail] of [
  ['', false],
  ['&format=standard', false],
  ['&format=foo', false],
  ['&format=', false],
  ['&format=full', true],
  ['&format=FULL', true],
  ['&format=full&licenses=TRUE', true],
] as const) {
  test(`identity with "${query}" ${hasEmail ? 'has' : 'has no'} email`, async (t) => {
    const { body } = await ask(run.url, `${DEFAULT_ACCOUNT}/identity?audience=https://format.example${query}`)
    const claims = readClaims(body)
    t.is(claims?.email, hasEmail ? EMAIL : undefined)
    t.is(claims?.email_verified, hasEmail ? true : undefined)
    t.is(claims?.google, undefined)
  })
}

const fullClaims = async (url: string, query: string) =>
  readClaims((await ask(url, `${DEFAULT_ACCOUNT}/identity?audience=https://vm.example${query}`)).body)

test("a VM's full token says which machine it is of, in the words of its tree, and its licenses where they are asked for", async (t) => {
  const ofVm = {
    project_id: 'acme-dev',
    project_number: 739419398126,
    zone: 'europe-west1-a',
    instance_id: '5775171277418378001',
    instance_name: 'sidemint',
    instance_creation_timestamp: 1_767_225_600,
  }
  const withLicenses = { ...ofVm, license_id: ['2147286739765738111'] }
  for (const [query, google] of [
    ['', undefined],
    ['&licenses=TRUE', undefined],
    ['&format=standard&licenses=TRUE', undefined],
    ['&format=full', { compute_engine: ofVm }],
    ['&format=full&licenses=FALSE', { compute_engine: ofVm }],
    ['&format=full&licenses=TRUE', { compute_engine: withLicenses }],
    ['&format=full&licenses=true', { compute_engine: withLicenses }],
  ] as const) {
    t.deepEqual((await fullClaims(vm.url, query))?.google, google, query)
  }
})

test('keys that the settings take away or give another form are not in the token of a VM', async (t) => {
  await using server = await startSidemint({
    platform: 'gce',
    metadata: {
      instance: {
        id: null,
        name: { first: 'a' },
        licenses: [{ id: '1' }, { name: 'x' }, { id: 18446744073709551615n }],
      },
      project: { 'numeric-project-id': null },
    },
  })
  t.deepEqual((await fullClaims(server.url, '&format=full&licenses=TRUE'))?.google, {
    compute_engine: {
      project_id: 'sidemint-local',
      zone: 'us-central1-a',
      instance_creation_timestamp: 1_767_225_600,
      license_id: ['1', '18446744073709551615'],
    },
  })
})

test('an account named by its email gets the same token as by default', async (t) => {
  const byDefault = await ask(run.url, `${DEFAULT_ACCOUNT}/identity?audience=https://same.example`)
  for (const account of [EMAIL, EMAIL.replace('@', '%40')]) {
    const target = `${V1}/instance/service-accounts/${account}/identity?audience=https://same.example`
    t.is((await ask(run.url, target)).body, byDefault.body)
  }
})

/** docs/wire.md, "Access tokens" */
const TOKEN_TARGETS = [
  'token',
  'token?recursive=true',
  'token?alt=json',
  'token?scopes=',
  'token?scopes=https://www.googleapis.com/auth/pubsub,cloud-platform',
  'token?transport=mtls&binding-enforcement=on&foo=bar',
]
for (const target of TOKEN_TARGETS) {
  test(`${target} is the three fields in order, with a whole number of seconds`, async (t) => {
    const { status, headers, body } = await ask(run.url, `${DEFAULT_ACCOUNT}/${target}`)
    t.is(status, 200)
    t.is(headers['content-type'], 'application/json')
    t.is(headers.etag, undefined)
    t.regex(body, /^\{"access_token":"[^"]*local[^"]*","expires_in":3600,"token_type":"Bearer"\}$/)
  })
}

test('token?alt=text is one field a line', async (t) => {
  const { status, headers, body } = await ask(run.url, `${DEFAULT_ACCOUNT}/token?alt=text`)
  t.is(status, 200)
  t.is(headers['content-type'], 'application/text')
  t.regex(body, /^access_token \S+\nexpires_in 3600\ntoken_type Bearer\n$/)
})

test('scopes make another token on Cloud Run, in any order and either separator, and are ignored on a VM', async (t) => {
  const value = async (url: string, query: string) => (await ask(url, `${DEFAULT_ACCOUNT}/token${query}`)).body
  const own = await value(run.url, '')
  const scoped = await value(run.url, '?scopes=a:1,b:2')
  t.not(scoped, own)
  for (const query of ['?scopes=b:2,a:1', '?scopes=b:2%2Ca:1,a:1', '?scopes=a:1+b:2']) {
    t.is(await value(run.url, query), scoped, query)
  }
  t.is(await value(vm.url, '?scopes=a:1,b:2'), await value(vm.url, ''))
  t.not(await value(vm.url, '?scopes=a:1,b:2&enforce_scopes=true'), await value(vm.url, ''))
})

const GOOGLE_SCOPES = 'https://www.googleapis.com/auth/'
for (const [list, scopes] of [
  ['', []],
  [' ,, ', []],
  ['b:2,a:1,,b:2', ['a:1', 'b:2']],
  ['cloud-platform', [`${GOOGLE_SCOPES}cloud-platform`]],
  [`${GOOGLE_SCOPES}pubsub pubsub`, [`${GOOGLE_SCOPES}pubsub`]],
  ['profile,openid,email', ['email', 'openid', 'profile']],
] as const) {
  test(`the scopes "${list}" ask for ${scopes.join(' and ') || "the account's own"}`, (t) => {
    const { request } = accessLeaf(EMAIL, { platform: 'cloud-run' })(new URLSearchParams({ scopes: list }))
    t.deepEqual(request, { kind: 'access', principal: EMAIL, scopes })
  })
}

const identityOf = identityLeaf(EMAIL, { platform: 'cloud-run' }, () => {
  throw new Error('Cloud Run describes no machine')
})

test('an audience has at most 8,192 bytes', async (t) => {
  const request = (audience: string) => identityOf(new URLSearchParams({ audience })).request
  t.like(request('x'.repeat(8_192)), { audience: 'x'.repeat(8_192) })
  t.throws(() => request('x'.repeat(8_193)), {
    code: 'AUDIENCE_TOO_LONG',
    message: 'the audience has 8193 bytes, more than 8192',
  })
  t.throws(() => request('ä'.repeat(4_097)), { code: 'AUDIENCE_TOO_LONG' })
})

test('of an ID token nobody asks how long it lasts, since its answer does not say so', (t) => {
  const hit = new Hit(identityOf(new URLSearchParams({ audience: 'a' })))
  const token = { value: 'a', expiresAtMs: 1_400, endsAtMs: 1_400, served: 'mint', fp: undefined } as const
  t.is(
    hit.answer(token, () => t.fail()),
    hit.answer(token, () => t.fail()),
  )
})

test('expires_in is the true rest of the life', async (t) => {
  const own = createClock()
  await using server = await startSidemint({ now: own.now })
  await ask(server.url, `${DEFAULT_ACCOUNT}/token`)
  own.advance(20 * MINUTE + 1)
  const { body } = await ask(server.url, `${DEFAULT_ACCOUNT}/token`)
  t.is(JSON.parse(body).expires_in, 2399)
})

test('expires_in is never below 1, even where the token has a moment left', (t) => {
  for (const [alt, expected] of [
    ['json', /"expires_in":1,/],
    ['text', /\nexpires_in 1\n/],
  ] as const) {
    const question = accessLeaf(EMAIL, { platform: 'gce' })(new URLSearchParams({ alt }))
    const token = { value: 'a', expiresAtMs: 1_400, endsAtMs: 1_400, served: 'mint', fp: undefined } as const
    const hit = new Hit(question)
    for (const leftMs of [1_400, 400, 0, -400]) t.regex(hit.answer(token, () => leftMs).body, expected)
    t.regex(hit.answer({ ...token, value: 'other' }, () => 400).body, /other/, 'it follows the token')
    t.regex(hit.answer(token, () => 2_000).body, /expires_in"?[: ]2\D/, 'it follows the clock')
  }
})

test('two thousand URLs of at most a thousand characters are remembered, then the memory is emptied', (t) => {
  const hits = createHits()
  const [one, other] = [{}, {}]
  const hit = new Hit(accessLeaf(EMAIL, { platform: 'gce' })(new URLSearchParams()))
  const url = (length: number) => 'x'.repeat(length)
  hits.add(one, url(1_001), hit)
  t.is(hits.get(one, url(1_001)), undefined)
  hits.add(one, url(1_000), hit)
  t.is(hits.get(one, url(1_000)), hit)
  t.is(hits.get(other, url(1_000)), undefined)
  for (let nth = 2; nth <= 2_000; nth++) hits.add(other, `/${nth}`, hit)
  t.deepEqual([hits.get(one, url(1_000)), hits.get(other, '/2'), hits.get(other, '/2000')], [hit, hit, hit])
  for (let round = 1; round <= 2; round++) {
    for (let nth = 1; nth <= 2_000; nth++) hits.add(one, `/${round}/${nth}`, hit)
    t.deepEqual([hits.get(other, '/2000'), hits.get(one, `/${round - 1}/2000`)], [undefined, undefined])
    t.deepEqual([hits.get(one, `/${round}/1`), hits.get(one, `/${round}/2000`)], [hit, hit])
  }
})

test("gcloud's own audience needs no allow-list and takes no failure that a test ordered", async (t) => {
  const path = `${DEFAULT_ACCOUNT}/identity?audience=32555940559.apps.googleusercontent.com&format=full`
  await using server = await startSidemint({ allowAudience: ['https://*'] })
  server.failNext({ times: 1 })
  t.is((await ask(server.url, path)).status, 200)
  t.is((await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=https://a.example`)).status, 503)
  t.is((await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=a`)).status, 400)
})

test('the ETag is the same for JSON and text, and another for recursive answers and other data', async (t) => {
  const etag = async (target: string) => (await ask(vm.url, V1 + target)).headers.etag
  t.is(await etag('/instance/tags?alt=text'), await etag('/instance/tags?alt=json'))
  t.is(await etag('/project/?recursive=true&alt=text'), await etag('/project/?recursive=true&alt=json'))
  t.not(await etag('/project/?recursive=true'), await etag('/project/'))
  t.not(await etag('/instance/name'), await etag('/instance/hostname'))
})

const SHARED = `hostname sidemint.c.acme-dev.internal
machine-type projects/739419398126/machineTypes/e2-standard-2
maintenance-event NONE
name sidemint
preempted FALSE
scheduling/automatic-restart TRUE
scheduling/on-host-maintenance MIGRATE
scheduling/preemptible FALSE`.split('\n')
const WHOLE = {
  'cloud-run': [
    ...SHARED,
    'description ',
    'id 00712a8fd39b2acbe7ec6da5d7624183b03c97418b6cfef85aa5d2d92ba80612',
    'region projects/739419398126/regions/us-central1',
    'zone projects/739419398126/zones/us-central1-1',
  ],
  gce: [
    ...SHARED,
    'cpu-platform Intel Broadwell',
    'description ',
    'disks/0/device-name persistent-disk-0',
    'disks/0/index 0',
    'disks/0/interface SCSI',
    'disks/0/mode READ_WRITE',
    'disks/0/type PERSISTENT',
    'id 1509655513394490558',
    'image projects/debian-cloud/global/images/debian-12-bookworm-v20260101',
    'licenses/0/id 2147286739765738111',
    'network-interfaces/0/access-configs/0/external-ip ',
    'network-interfaces/0/access-configs/0/type ONE_TO_ONE_NAT',
    'network-interfaces/0/dns-servers 169.254.169.254',
    'network-interfaces/0/gateway 10.128.0.1',
    'network-interfaces/0/ip 10.128.0.2',
    'network-interfaces/0/mac 42:01:0a:80:00:02',
    'network-interfaces/0/mtu 1460',
    'network-interfaces/0/network projects/739419398126/networks/default',
    'network-interfaces/0/subnetmask 255.255.240.0',
    'remaining-cpu-time -1',
    'virtual-clock/drift-token 0',
    'zone projects/739419398126/zones/us-central1-a',
  ],
}
for (const platform of ['cloud-run', 'gce'] as const) {
  test(`without settings of one's own the machine of ${platform} has these values, at every start the same`, async (t) => {
    await using server = await startSidemint({ ...SETTINGS, platform })
    const { body } = await ask(server.url, `${V1}/instance/?recursive=true&alt=text`)
    const lines = body.split('\n').filter((line) => line !== '' && !line.startsWith('service-accounts/'))
    t.deepEqual(lines, WHOLE[platform].toSorted())
  })
}

test('recursive output never holds a token, and the root is what .NET looks for', async (t) => {
  const { body } = await ask(vm.url, `${V1}/?recursive=true`)
  const root = JSON.parse(body)
  t.is(root.project.projectId, 'acme-dev')
  t.is(root.instance.zone, 'projects/739419398126/zones/europe-west1-a')
  t.deepEqual(Object.keys(root.instance.serviceAccounts.default), ['aliases', 'email', 'scopes'])
  t.false(body.includes('sidemint-local-access-token'))
  const lines = await ask(vm.url, `${V1}/?recursive=true&alt=text`)
  t.false(/\/(?:token|identity) /.test(lines.body))
})

test('each server has an instance id of its own project, the same after a restart', async (t) => {
  await using again = await startSidemint({ ...SETTINGS })
  await using other = await startSidemint({ ...SETTINGS, project: 'acme-test' })
  const id = async (url: string) => (await ask(url, `${V1}/instance/id`)).body
  t.is(await id(again.url), await id(run.url))
  t.not(await id(other.url), await id(run.url))
})

test('a redirect names the Host that was asked, with its port, and keeps the query', async (t) => {
  for (const host of [
    'metadata.google.internal',
    'metadata.google.internal.',
    '169.254.169.254:80',
    'mds:8080',
    '[::1]:99',
  ]) {
    const { headers } = await ask(run.url, `${V1}/instance?recursive=true&x=%20`, {
      headers: { ...FLAVOR, Host: host },
    })
    t.is(headers.location, `http://${host}${V1}/instance/?recursive=true&x=%20`)
  }
})

test('an allow-list of audiences holds for whole strings', async (t) => {
  await using server = await startSidemint({ allowAudience: ['https://*.example', 'a.c'] })
  for (const [audience, status] of [
    ['https://a.example', 200],
    ['https://a.example/x', 400],
    ['xhttps://a.example', 400],
    ['a.c', 200],
    ['abc', 400],
    ['A.C', 400],
  ] as const) {
    t.is((await ask(server.url, `${DEFAULT_ACCOUNT}/identity?audience=${audience}`)).status, status, audience)
  }
})

test('a connection is kept for longer than Go keeps its idle ones', async (t) => {
  const { headers } = await ask(run.url, '/', { headers: { Connection: 'keep-alive' } })
  t.regex(String(headers['keep-alive']), /timeout=(?:[6-9]\d|\d{3,})/)
})
