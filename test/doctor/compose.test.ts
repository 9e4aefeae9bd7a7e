import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parseYaml } from '../../src/config/yaml.ts'
import { checkCompose } from '../../src/doctor/compose/index.ts'
import { interpolate } from '../../src/doctor/compose/interpolate.ts'
import type { Finding } from '../../src/doctor/finding.ts'

const DIRECTORY = new URL('compose/', import.meta.url).pathname
/** No Docker, so that what runs on this host changes nothing. */
const ENV = { HOME: homedir(), PATH: '/nonexistent' }

/** check, status, what; the fix where one is looked at. */
type Row = [check: string, status: Finding['status'], what: RegExp, fix?: RegExp]

const TABLE: Record<string, { shows: string; rows: Row[] }> = {
  'link-local': {
    shows: 'a stack at 169.254.169.254 without a variable is clean, its gate and its database are left alone',
    rows: [
      ['compose:metadata', 'ok', /is a sidemint/],
      ['compose:orders', 'ok', /asks sidemint at 169\.254\.169\.254/],
      ['compose:billing', 'ok', /asks sidemint at 169\.254\.169\.254/],
      ['compose', 'ok', /no Docker answered/],
    ],
  },
  variables: {
    shows: 'aliases and variables are clean, in lists, maps, merge keys, env_file and with defaults',
    rows: [
      ['compose:metadata', 'ok', /is a sidemint/],
      ['compose:orders', 'ok', /at metadata\.google\.internal$/],
      ['compose:billing', 'ok', /at billing\.metadata\.internal:80$/],
      ['compose:worker', 'ok', /at metadata$/],
    ],
  },
  beside: {
    shows: "a sidemint in a service's own network is clean",
    rows: [
      ['compose:sidecar', 'ok', /is a sidemint/],
      ['compose:orders', 'ok', /at localhost:16925$/],
    ],
  },
  'own-credentials': {
    shows: 'a key or a gcloud login outranks sidemint; where nothing else asks for it, that is only a warning',
    rows: [
      ['compose:sidemint', 'ok', /is a sidemint/],
      ['compose:key', 'fail', /GOOGLE_APPLICATION_CREDENTIALS is set to \/keys\/orders\.json/, /remove it from key/],
      ['compose:mount', 'fail', /\.config\/gcloud is mounted at \/root\/\.config\/gcloud/, /remove it from mount/],
      ['compose:moved', 'fail', /\.config\/gcloud is mounted at \/gcloud/, /remove it from moved/],
      ['compose:apart', 'warn', /GOOGLE_APPLICATION_CREDENTIALS is set/, /remove it from apart/],
    ],
  },
  'extra-hosts': {
    shows: 'extra_hosts stands in for an alias badly, and alone not at all',
    rows: [
      ['compose:sidemint', 'ok', /is a sidemint/],
      ['compose:alone', 'fail', /extra_hosts names metadata\.google\.internal.*alone has no other way/, /aliases:/],
      ['compose:alone', 'warn', /nothing points its clients/, /sidemint env --format compose/],
      ['compose:pointed', 'warn', /extra_hosts names metadata\.google\.internal/, /aliases:/],
    ],
  },
  order: {
    shows: 'who asks must wait until sidemint is healthy, by itself or through whom it waits for',
    rows: [
      ['compose:sidemint', 'ok', /is a sidemint/],
      ['compose:never', 'warn', /may start before sidemint/, /condition: service_healthy/],
      ['compose:listed', 'warn', /may start before sidemint/, /condition: service_healthy/],
      ['compose:started', 'warn', /may start before sidemint/, /condition: service_healthy/],
      ['compose:behind', 'ok', /asks sidemint/],
      ['compose:waiting', 'ok', /asks sidemint/],
    ],
  },
  addresses: {
    shows: 'the variables need no scheme, each other, and a name that resolves',
    rows: [
      ['compose:sidemint', 'ok', /is a sidemint/],
      ['compose:schemed', 'fail', /GCE_METADATA_HOST is http:\/\/sidemint:80/, /^GCE_METADATA_HOST: sidemint:80$/],
      ['compose:half', 'fail', /GCE_METADATA_IP is missing/, /^GCE_METADATA_IP: sidemint$/],
      ['compose:half', 'warn', /GCE_METADATA_ROOT is missing/, /^GCE_METADATA_ROOT: sidemint$/],
      ['compose:other-half', 'fail', /GCE_METADATA_HOST is missing/, /^GCE_METADATA_HOST: sidemint$/],
      ['compose:nothing', 'warn', /nothing points its clients at sidemint/, /sidemint env --format compose/],
      ['compose:assuming', 'fail', /nothing points its clients at sidemint/, /sidemint env --format compose/],
      ['compose:verifier', 'ok', /waits for sidemint/],
      ['compose:misspelt', 'fail', /pointed at side-mint/, /name one of sidemint/],
      ['compose:elsewhere', 'fail', /on a network of elsewhere \(back\)/, /on one network/],
    ],
  },
  published: {
    shows: 'a sidemint that the whole network can reach fails, a gate does not',
    rows: [
      ['compose', 'warn', /no service asks sidemint/],
      ['compose:short', 'fail', /16925:80 is published on every address/, /127\.0\.0\.1:16925:80/],
      ['compose:random', 'fail', /port 80 is published on every address/],
      ['compose:every', 'fail', /published on 0\.0\.0\.0/],
      ['compose:six', 'fail', /published on ::/],
      ['compose:long', 'fail', /16925:80 is published on every address/],
      ['compose:host', 'fail', /network_mode is host/, /^SIDEMINT_HOST: 127\.0\.0\.1$/],
      ['compose:loopback', 'ok', /only this host/],
    ],
  },
  'single-files': {
    shows: 'a config, a key or a login mounted as one file is warned of, and a login that the image may not read',
    rows: [
      ['compose', 'warn', /no service asks sidemint/],
      ['compose:config', 'warn', /sidemint\.yaml is mounted as a single file/, /its directory/],
      ['compose:renamed', 'warn', /local\.yaml is mounted as a single file/],
      ['compose:login', 'warn', /application_default_credentials\.json is mounted as a single file/],
      ['compose:key', 'warn', /ci\.json is mounted as a single file/],
      ['compose:secret', 'warn', /application_default_credentials\.json is mounted as a single file/],
      ['compose:windows', 'warn', /C:\\Users\\ann\\sidemint\.yaml is mounted as a single file/],
      ['compose:foreign', 'warn', /uid 65532/, /^user: "\$\{UID:-1000\}"$/],
    ],
  },
  proxy: {
    shows: 'a proxy must spare sidemint, and K_SERVICE is warned of',
    rows: [
      ['compose:sidemint', 'ok', /is a sidemint/],
      ['compose:proxied', 'fail', /HTTPS_PROXY.*sidemint/, /^NO_PROXY: localhost,sidemint,/],
      ['compose:lower', 'fail', /HTTP_PROXY.*sidemint/, /^NO_PROXY: sidemint,/],
      ['compose:spared', 'ok', /asks sidemint/],
      ['compose:all', 'fail', /sidemint/, /^NO_PROXY: \*,sidemint,/],
      ['compose:cloud-run', 'warn', /K_SERVICE/, /remove it from cloud-run/],
    ],
  },
  none: {
    shows: 'a file without a sidemint is said to have none',
    rows: [
      ['compose', 'warn', /no service is a sidemint/, /image name or alias/],
      ['compose:orders', 'ok', /asks metadata\.google\.internal, which is not in this file/],
    ],
  },
  nobody: {
    shows: 'what a file takes in from elsewhere is said not to be looked at',
    rows: [
      ['compose', 'warn', /^include /, /docker compose config \| sidemint doctor --compose \/dev\/stdin/],
      ['compose', 'warn', /^services\.orders\.extends /, /docker compose config/],
      ['compose', 'warn', /no service asks sidemint/],
      ['compose:sidemint', 'ok', /is a sidemint/],
    ],
  },
  broken: {
    shows: 'a file that is no YAML fails',
    rows: [['compose', 'fail', /an alias is unknown/, /name a compose file/]],
  },
  absent: {
    shows: 'a file that is not there fails',
    rows: [['compose', 'fail', /ENOENT/, /name a compose file/]],
  },
}

for (const [name, { shows, rows }] of Object.entries(TABLE)) {
  test(`${name}.yml: ${shows}`, async (t) => {
    const findings = await checkCompose(join(DIRECTORY, `${name}.yml`), ENV)
    t.deepEqual(
      findings.map(({ check, status }) => [check, status]),
      rows.map(([check, status]) => [check, status]),
      JSON.stringify(findings, null, 2),
    )
    for (const [index, [, status, what, fix = /^/]] of rows.entries()) {
      t.regex(findings[index]?.what ?? '', what)
      t.is(findings[index]?.fix === undefined, status === 'ok')
      if (status !== 'ok') t.regex(findings[index]?.fix ?? '', fix)
    }
  })
}

for (const name of ['docker-compose.yml', 'docker-compose.portable.yml']) {
  test(`our own ${name} is clean`, async (t) => {
    const findings = await checkCompose(join(import.meta.dirname, '..', '..', name), ENV)
    t.true(findings.some(({ check }) => check === 'compose:orders'))
    t.deepEqual(
      findings.filter(({ status }) => status !== 'ok'),
      [],
    )
  })
}

test('another stack at 169.254.169.254 is named with the command that stops it, this one is no rival of itself', async (t) => {
  const rival = (project: string) => [
    { Name: 'bridge', Labels: {}, IPAM: { Config: null } },
    {
      Name: `${project}_cloud`,
      Labels: { 'com.docker.compose.project': project },
      IPAM: { Config: [{ Subnet: '169.254.169.0/24' }] },
    },
  ]
  const file = join(DIRECTORY, 'link-local.yml')
  const other = await checkCompose(file, { ...ENV, PATH: docker(t, rival('shop')) })
  t.like(other.at(-1), { check: 'compose', status: 'fail', fix: 'docker compose --project-name shop down' })
  t.regex(other.at(-1)?.what ?? '', /shop_cloud holds 169\.254\.169\.254/)
  const itself = await checkCompose(file, { ...ENV, PATH: docker(t, rival('compose')) })
  t.like(itself.at(-1), { status: 'ok', what: 'no other network of this host holds 169.254.169.254' })
  const renamed = { ...ENV, PATH: docker(t, rival('compose')), COMPOSE_PROJECT_NAME: 'mine' }
  t.like((await checkCompose(file, renamed)).at(-1), { status: 'fail' })
})

test('a variable of the shell is followed where the file passes it through', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-compose-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const file = join(directory, 'compose.yml')
  writeFileSync(
    file,
    'services: { app: { image: a, environment: [GOOGLE_APPLICATION_CREDENTIALS, "GCE_METADATA_HOST=$TO"] } }',
  )
  const statuses = async (env: NodeJS.ProcessEnv) => (await checkCompose(file, env)).map(({ status }) => status)
  t.deepEqual(await statuses({ ...ENV }), ['warn'])
  t.deepEqual(await statuses({ ...ENV, GOOGLE_APPLICATION_CREDENTIALS: '/key.json' }), ['warn', 'warn'])
  writeFileSync(join(directory, '.env'), 'TO=sidemint\n')
  t.deepEqual(await statuses({ ...ENV, GOOGLE_APPLICATION_CREDENTIALS: '/key.json' }), ['warn', 'fail', 'fail', 'warn'])
})

test("Compose's variables are filled in as Compose does", (t) => {
  const parsed = parseYaml(readFileSync(join(DIRECTORY, 'interpolation.yml'), 'utf8'))
  const table = 'data' in parsed ? Object.entries(parsed.data as Record<string, string>) : []
  t.true(table.length > 10)
  for (const [written, filled] of table) {
    t.is(interpolate(written, { A: 'a', EMPTY: '', DOLLAR: '$A' }), filled, written)
  }
  t.deepEqual(interpolate({ k: ['$A', 1, null] }, { A: 'a' }), { k: ['a', 1, null] })
})

/** A `docker` that knows these networks. Returns the PATH where it is. */
function docker(t: { teardown(fn: () => void): void }, networks: object[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-docker-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const answers = `#!/bin/sh\nif [ "$2" = ls ]; then echo 1; else echo '${JSON.stringify(networks)}'; fi\n`
  writeFileSync(join(directory, 'docker'), answers)
  chmodSync(join(directory, 'docker'), 0o755)
  return directory
}
