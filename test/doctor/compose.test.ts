import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { checkCompose } from '../../src/doctor/compose/index.ts'
import { matches } from './compose/findings.ts'
import { PLAIN, TABLE } from './compose/table.ts'
import { RECORDED, tools } from './compose/tools.ts'

const DIRECTORY = join(import.meta.dirname, 'compose')
const NOWHERE = '/nonexistent'

/** What doctor finds in the file. PATH: where Docker and Podman are, so that what runs on this host changes nothing. */
function check(files: readonly string[], { PATH = NOWHERE, ...env }: NodeJS.ProcessEnv = {}, piped = '') {
  return checkCompose({ files, env: { HOME: NOWHERE, PATH, ...env }, stdin: async () => piped })
}

for (const [name, { shows, rows, plain = [PLAIN, ...rows] }] of Object.entries(TABLE)) {
  test(`${name}.yml as Docker Compose prints it: ${shows}`, async (t) => {
    matches(t, await check([join(DIRECTORY, `${name}.yml`)], { PATH: tools(t, { docker: RECORDED }) }), rows)
  })

  test(`${name}.yml without Docker and Podman: ${shows}`, async (t) => {
    matches(t, await check([join(DIRECTORY, `${name}.yml`)]), plain)
  })
}

for (const name of ['docker-compose.yml', 'docker-compose.portable.yml']) {
  test(`our own ${name} is clean`, async (t) => {
    const findings = await check([join(import.meta.dirname, '..', '..', name)])
    t.true(findings.some(({ check }) => check === 'compose:orders'))
    t.deepEqual(
      findings.filter(({ status }) => status !== 'ok'),
      [],
    )
  })
}

test('another stack at 169.254.169.254 is named with the command that stops it, this one is no rival of itself', async (t) => {
  const rival = (project: string) => {
    const networks = [
      { Name: 'bridge', Labels: {}, IPAM: { Config: null } },
      {
        Name: `${project}_cloud`,
        Labels: { 'com.docker.compose.project': project },
        IPAM: { Config: [{ Subnet: '169.254.169.0/24' }] },
      },
    ]
    return `case "$1 $2" in
  "network ls") echo 1 ;;
  "network inspect") echo '${JSON.stringify(networks)}' ;;
  *) exit 125 ;;
esac`
  }
  const file = join(DIRECTORY, 'link-local.yml')
  const of = (project: string, env = {}) => check([file], { PATH: tools(t, { docker: rival(project) }), ...env })
  const other = await of('shop')
  t.like(other.at(-1), { check: 'compose', status: 'fail', fix: 'docker compose --project-name shop down' })
  t.regex(other.at(-1)?.what ?? '', /shop_cloud holds 169\.254\.169\.254/)
  t.like((await of('compose')).at(-1), { status: 'ok', what: 'no other network of this host holds 169.254.169.254' })
  t.like((await of('compose', { COMPOSE_PROJECT_NAME: 'mine' })).at(-1), { status: 'fail' })
})

const CLIENT = 'image: a, environment: { GCE_METADATA_HOST: "http://sidemint", GCE_METADATA_IP: sidemint }'

test('what is piped is read as it is, JSON or YAML, whoever is on the PATH', async (t) => {
  const PATH = tools(t, { docker: 'exit 1' })
  const yaml = `services: { sidemint: { image: sidemint }, app: { ${CLIENT}, depends_on: { sidemint: { condition: service_healthy } } } }`
  const json = JSON.stringify({
    services: { app: { environment: { GCE_METADATA_HOST: 'http://sidemint' } }, sidemint: { image: 'sidemint' } },
  })
  for (const text of [yaml, json]) {
    const found = await check(['-'], { PATH }, text)
    t.like(found[0], { check: 'compose', status: 'ok', what: 'what was piped is read as it is' })
    t.true(found.some(({ check, what }) => check === 'compose:app' && /is http:\/\/sidemint/.test(what)))
  }
  t.like((await check(['-'], { PATH }, 'services: {'))[0], { status: 'fail', code: 'COMPOSE_FILE_UNUSABLE' })
  t.like((await check(['-'], { PATH }, 'nothing: here'))[0], { status: 'fail', code: 'COMPOSE_FILE_UNUSABLE' })
})

const BESIDE = `sidemint: { image: sidemint }`
const POINTED = `environment: { GCE_METADATA_HOST: sidemint, GCE_METADATA_IP: sidemint, GCE_METADATA_ROOT: sidemint },
  depends_on: { sidemint: { condition: service_healthy } }`

/** Service and what is said of it, for the services of a piped stack. */
async function lint(services: string, more = ''): Promise<string[]> {
  const found = await check(['-'], {}, `services: { ${services} }\n${more}`)
  return found.filter(({ check }) => check !== 'compose').map(({ check, what }) => `${check.slice(8)} ${what}`)
}

test('a dollar that is written twice is none, and is no variable', async (t) => {
  const services = (word: string) => `services: { sidemint: { image: sidemint, command: [serve, "${word}"] } }`
  t.like((await check(['-'], {}, services('$$HOME')))[0], { status: 'ok' })
  t.like((await check(['-'], {}, services('$$$HOME')))[0], { status: 'warn' })
  t.like((await check(['-'], {}, services('5$')))[0], { status: 'ok' })
})

test('of our variables only those are judged whose value is known', async (t) => {
  const of = (more: string) => lint(`sidemint: { image: sidemint, environment: { ${more} } }`)
  t.regex((await of('SIDEMINT_PORT: "eighty"')).join(), /^sidemint SIDEMINT_PORT: must be a whole number/)
  t.deepEqual(await of('SIDEMINT_PORT: "$PORT"'), [
    'sidemint is a sidemint that only this host and its own networks reach',
  ])
  const gate = 'gate: { image: sidemint, command: [gate], environment: { SIDEMINT_UPSTREEM: x } }'
  t.regex(
    (await lint(`${BESIDE}, ${gate}`)).join(),
    /gate SIDEMINT_UPSTREEM: unknown variable \(did you mean SIDEMINT_UPSTREAM\?\)/,
  )
})

test('what is not sidemint is no gate, whatever its command is called', async (t) => {
  const server = 'metadata: { build: ./server, networks: { default: { ipv4_address: 169.254.169.254 } } }'
  t.deepEqual(
    await lint(
      `${server}, app: { build: ./app, command: [gate], depends_on: { metadata: { condition: service_healthy } } }`,
    ),
    ['metadata is a sidemint that only this host and its own networks reach', 'app asks sidemint at 169.254.169.254'],
  )
  t.deepEqual(
    await lint(
      `${server}, gate: { build: ./server, command: [gate], depends_on: { metadata: { condition: service_healthy } } }`,
    ),
    ['metadata is a sidemint that only this host and its own networks reach'],
  )
})

test('on the default network what is built here asks for tokens, an image of another does not', async (t) => {
  const server = 'sidemint: { image: sidemint, networks: { default: { ipv4_address: 169.254.169.254 } } }'
  const found = await lint(`${server}, app: { build: . }, database: { image: postgres }`)
  t.deepEqual(
    found.map((line) => line.split(' ')[0]),
    ['sidemint', 'app'],
  )
})

test('who is not on the network of 169.254.169.254 is told that network, whatever else there is', async (t) => {
  const server = 'sidemint: { image: sidemint, networks: { default: {}, metadata: { ipv4_address: 169.254.169.254 } } }'
  const waits = 'depends_on: { sidemint: { condition: service_healthy } }'
  const of = async (service: string) => {
    const found = await check(['-'], {}, `services: { ${server}, ${service} }`)
    return found
      .filter(({ check, status }) => !['compose', 'clients'].includes(check) && status !== 'ok')
      .map(({ status, what, fix }) => `${status} ${what}. Fix: ${fix}`)
  }
  const way = 'networks: { default: {}, metadata: {} } in app'
  const apart =
    "warn it shares no network with sidemint's 169.254.169.254, so Google's libraries in it find no sidemint"
  t.deepEqual(await of('app: { build: . }'), [`${apart}. Fix: ${way}, if it asks for tokens`])
  t.deepEqual(await of('database: { image: postgres }, app: { build: ., networks: [default, metadata] }'), [
    'warn it may start before sidemint answers, and some clients remember that nobody did. Fix: depends_on: { sidemint: { condition: service_healthy } }',
  ])
  t.deepEqual(await of(`app: { build: ., ${waits} }`), [
    `warn nothing points its clients at sidemint: without variables they ask 169.254.169.254. Fix: ${way}, if it asks for tokens`,
  ])
  const variables = ['HOST', 'IP', 'ROOT'].map((name) => `GCE_METADATA_${name}: metadata.google.internal`).join(', ')
  t.deepEqual(await of(`app: { build: ., ${waits}, environment: { ${variables} } }`), [
    `fail it is pointed at metadata.google.internal, and no sidemint has that name on a network of app (default). Fix: ${way}`,
  ])
})

test('flags alone are those of serve, and --config= names a file too', async (t) => {
  const [ports, file] = await lint(
    'sidemint: { image: sidemint, command: ["--config=/c/a.yaml"], ports: [80], volumes: ["/x/a.yaml:/c/a.yaml"] }',
  )
  t.regex(ports ?? '', /port 80 is published on every address/)
  t.regex(file ?? '', /a\.yaml is mounted as a single file/)
})

test('a config that is mounted under another name is looked at by that name', async (t) => {
  const service = 'sidemint: { image: sidemint, configs: [{ source: c, target: /etc/sidemint/sidemint.yaml }] }'
  const [found] = await lint(service, 'configs: { c: { file: /x/other.yaml } }')
  t.regex(found ?? '', /\/x\/other\.yaml is mounted as a single file/)
  t.deepEqual(await lint(service, 'configs: { c: { content: "project: x" } }'), [
    'sidemint is a sidemint that only this host and its own networks reach',
  ])
})

test("the file's own name counts before the variable, and only a subnet that holds the address is looked for", async (t) => {
  const networks = [
    { Name: 'n', Labels: { 'com.docker.compose.project': 'shop' }, IPAM: { Config: [{ Subnet: '169.254.0.0/16' }] } },
  ]
  const PATH = tools(t, { docker: `case "$2" in ls) echo 1 ;; inspect) echo '${JSON.stringify(networks)}' ;; esac` })
  const of = async (name: string, subnet: string) => {
    const text = `name: ${name}\nservices: { ${BESIDE}, app: { ${POINTED} } }\nnetworks: { n: { ipam: { config: [{ subnet: ${subnet} }] } } }`
    const found = await check(['-'], { PATH, COMPOSE_PROJECT_NAME: 'other' }, text)
    return found.flatMap(({ check, what }) => (check === 'compose' ? [what] : [])).join()
  }
  t.regex(await of('shop', '169.254.169.0/24'), /no other network/)
  t.regex(await of('mine', '169.254.169.0/24'), /the network n holds/)
  for (const subnet of ['10.0.0.0/8', '10.0.0.0', '"$SUBNET"', '169.254.168.0/24'])
    t.notRegex(await of('mine', subnet), /169\.254\.169\.254/, subnet)
})

test('Docker Compose is asked for all files at once, and by itself finds those of the folder', async (t) => {
  const PATH = tools(t, {
    docker: `echo "services: { $(echo "$*" | tr -cd 'a-z0-9-'): { ports: ["80"], image: sidemint } }"`,
  })
  const files = ['variables.yml', 'order.yml'].map((name) => join(DIRECTORY, name))
  const [, two] = await check(files, { PATH })
  t.regex(two?.check ?? '', /^compose:compose-f\S*variablesyml-f\S*orderyml--profileconfig--formatjson$/)
  const [, none] = await check([], { PATH })
  t.is(none?.check, 'compose:compose--profileconfig--formatjson')
})

test('Podman is asked where Docker has no compose, in its own words', async (t) => {
  const answer = 'echo "services: { sidemint: { image: sidemint, ports: ["80"] } }"'
  const refuse = 'echo "docker: unknown command" >&2; exit 125'
  const file = [join(DIRECTORY, 'variables.yml')]
  for (const scripts of [
    {
      docker: refuse,
      podman: `case "$*" in *format*) exit 2 ;; "compose -f "*" --profile * config") ${answer} ;; esac`,
    },
    {
      podman: 'exit 125',
      'podman-compose': `case "$*" in "-f "*" --profile * config") ${answer} ;; *) exit 2 ;; esac`,
    },
    { 'docker-compose': answer },
  ]) {
    const found = await check(file, { PATH: tools(t, scripts) })
    t.deepEqual(
      found.map(({ check, status }) => [check, status]),
      [
        ['compose', 'warn'],
        ['compose:sidemint', 'fail'],
      ],
    )
  }
})

test('a file that Compose cannot read without its variables is read as plain YAML', async (t) => {
  const docker = `case "$*" in *--no-interpolate) echo "invalid spec" >&2; exit 1 ;; *) echo "required variable PASSWORD is missing a value: hunter2" >&2; exit 15 ;; esac`
  const found = await check([join(DIRECTORY, 'required.yml')], { PATH: tools(t, { docker }) })
  t.deepEqual(
    found.map(({ check, status }) => [check, status]),
    [
      ['compose', 'fail'],
      ['compose', 'warn'],
      ['compose:sidemint', 'ok'],
      ['compose:orders', 'fail'],
      ['clients', 'ok'],
    ],
  )
  t.regex(found[0]?.what ?? '', /requires the variable PASSWORD/)
  t.false(JSON.stringify(found).includes('hunter2'))
})

test('a file that Compose refuses fails with the command that says why, never with what Compose printed', async (t) => {
  const PATH = tools(t, { docker: 'echo "invalid port hunter2" >&2; exit 15' })
  const found = await check([join(DIRECTORY, 'order.yml')], { PATH })
  t.is(found.length, 1)
  t.like(found[0], { status: 'fail', code: 'COMPOSE_FILE_UNUSABLE' })
  t.regex(found[0]?.what ?? '', /`docker compose -f \S+order\.yml config --quiet`, which says more, ends with 15/)
  t.false(JSON.stringify(found).includes('hunter2'))
})

test("what Compose says of a name is told in its words, unless the name is a variable's value", async (t) => {
  const of = async (said: string, plain: string) => {
    const docker = `case "$*" in *--no-interpolate) ${plain} ;; *) echo '${said}: invalid compose project' >&2; exit 15 ;; esac`
    const [found, ...others] = await check([join(DIRECTORY, 'order.yml')], { PATH: tools(t, { docker }) })
    t.deepEqual(others, [])
    t.like(found, { status: 'fail', code: 'COMPOSE_FILE_UNUSABLE' })
    return found
  }
  const literal = `echo '{ "source": "stand-in", "depends_on": { "zz": {} } }'`
  for (const [said, plain] of [
    ['service "a" refers to undefined volume stand-in', literal],
    ['service "a" depends on undefined service "zz"', literal],
    ['service "a" has neither an image nor a build context specified', 'exit 15'],
    ['services.a Additional property volums is not allowed', 'exit 15'],
  ] as const) {
    const found = await of(said, plain)
    t.true(found?.what.endsWith(`\`docker compose config\` says: ${said}`), found?.what)
    t.regex(found?.fix ?? '', /^correct that, until `docker compose -f \S+order\.yml config --quiet` ends with 0$/)
  }
  for (const plain of [literal, 'exit 15']) {
    const found = await of('service "a" refers to undefined volume hunter2', plain)
    t.regex(found?.what ?? '', /which says more, ends with 15$/)
    t.notRegex(JSON.stringify(found), /hunter2/)
  }
})

test.serial('a folder without a stack is said to have none, with Compose and without', async (t) => {
  inFolder(t, {})
  const docker = 'echo "no configuration file provided: not found" >&2; exit 14'
  const podman =
    'echo "CRITICAL:podman_compose:no compose.yaml, docker-compose.yml or container-compose.yml file found, pass files with -f" >&2; exit 255'
  for (const PATH of [NOWHERE, tools(t, { docker }), tools(t, { 'podman-compose': podman })]) {
    const found = await check([], { PATH })
    t.like(found, [{ check: 'compose', status: 'ok' }])
    t.is(found.length, 1)
    t.regex(found[0]?.what ?? '', /^no compose file is here, .*--compose FILE/)
  }
})

test('one line names the clients that read no variable, where a service has nothing but variables', async (t) => {
  const of = async (services: string) =>
    (await check(['-'], {}, `services: { ${services} }`)).filter(({ check }) => check === 'clients')
  const pointed = `app: { image: a, ${POINTED} }, worker: { image: a, ${POINTED} }, database: { image: postgres }`
  const found = await of(`${BESIDE}, ${pointed}`)
  t.like(found, [{ status: 'ok' }])
  t.is(found.length, 1)
  t.regex(
    found[0]?.what ?? '',
    /^app, worker: .*PHP, .*googleauth before 1\.8.*yup-oauth2.*gcp_auth.*openai.*169\.254\.169\.254$/,
  )
  const fixed = 'sidemint: { image: sidemint, networks: { default: { ipv4_address: 169.254.169.254 } } }'
  t.deepEqual(await of(`${fixed}, ${pointed}`), [])
})

test('what waits for its writer, or is a folder, is refused at once as a compose file and as settings', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-pipe-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const pipe = join(directory, 'sidemint.yaml')
  execFileSync('mkfifo', [pipe])
  for (const path of [pipe, directory]) {
    const found = await check([path], { PATH: tools(t, { docker: 'exec sleep 60' }) })
    t.like(found, [{ status: 'fail', code: 'COMPOSE_FILE_UNUSABLE' }])
    t.regex(found[0]?.what ?? '', /it is a directory, a pipe or a device$/)
    t.regex(found[0]?.fix ?? '', /--compose -$/)
  }
  const service = `sidemint: { image: sidemint, volumes: ["${directory}:/etc/sidemint"] }`
  t.true((await lint(service)).some((line) => /cannot be read \(it is a directory, a pipe or a device\)/.test(line)))
})

test.serial('a Compose that prints without end is told as that, and the files are read', async (t) => {
  const found = await check([join(DIRECTORY, 'none.yml')], { PATH: tools(t, { docker: 'exec yes' }) })
  t.regex(
    found[0]?.what ?? '',
    /^`docker compose config` printed more than 16 MB, so \S+none\.yml is read as plain YAML/,
  )
})

test.serial(
  "without Compose the folder's file and its override file are read together, or those of COMPOSE_FILE",
  async (t) => {
    inFolder(t, {
      'docker-compose.yml':
        'services: { sidemint: { ports: ["80:80"] }, app: { image: app, environment: { GCE_METADATA_HOST: sidemint } } }',
      'docker-compose.override.yml': `services: { sidemint: { image: sidemint, ports: ["127.0.0.1:81:80"] }, app: { environment: { GCE_METADATA_HOST: "http://sidemint" } } }`,
      'other.yml': 'services: { sidemint: { image: sidemint, ports: ["80:80"] } }',
    })
    const found = await check([])
    t.regex(found[0]?.what ?? '', /so docker-compose\.yml, docker-compose\.override\.yml is read as plain YAML$/)
    t.true(found.some(({ check, what }) => check === 'compose:app' && /is http:\/\/sidemint/.test(what)))
    t.true(
      found.some(({ check, what }) => check === 'compose:sidemint' && /its port 80:80/.test(what)),
      'lists are appended',
    )
    const other = await check([], { COMPOSE_FILE: 'other.yml' })
    t.regex(other[0]?.what ?? '', /other\.yml is read/)
    t.like(other.at(-1), { check: 'compose:sidemint', status: 'fail' })
    t.like(await check([], { COMPOSE_FILE: 'absent.yml' }), [{ status: 'fail', code: 'COMPOSE_FILE_UNUSABLE' }])
  },
)

/** Makes these files, and makes their folder the working one. */
function inFolder(t: ExecutionContext, files: Record<string, string>): void {
  const directory = mkdtempSync(join(tmpdir(), 'sidemint-compose-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  const before = process.cwd()
  process.chdir(directory)
  t.teardown(() => {
    process.chdir(before)
    rmSync(directory, { recursive: true, force: true })
  })
}
