/** Stacks that work, and in which doctor is to find no mistake. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'ava'
import { stringify } from 'yaml'
import { KEY_HOSTS } from '../../src/core/google.ts'
import { checkCompose } from '../../src/doctor/compose/index.ts'

type Data = Record<string, unknown>

/** A client is a service of any image that waits for sidemint; here it is pointed at this host and port. */
const client = (host: string) => ({
  image: 'app',
  depends_on: { sidemint: { condition: 'service_healthy' } },
  environment: { GCE_METADATA_HOST: host, GCE_METADATA_IP: host, GCE_METADATA_ROOT: host },
})
const waiting = { image: 'app', depends_on: { sidemint: { condition: 'service_healthy' } } }
const MOUNTED = { image: 'sidemint', volumes: ['./conf:/etc/sidemint:ro'] }
const NPX = { image: 'node:24', command: 'npx sidemint serve --host 0.0.0.0' }
const ORDERS = 'orders@acme-dev.iam.gserviceaccount.com'
const CALLER = `identities: [{ serviceAccount: ${ORDERS}, callers: [app] }]`
const gate = (upstream: string) =>
  `gates: [{ host: billing, upstream: "${upstream}", audience: [http://billing], invoker: [allUsers] }]`
const HOLDS_BILLING = { networks: { default: { aliases: ['billing'] } } }
const RECEIVER = {
  ...waiting,
  volumes: ['stand-in:/etc/sidemint-stand-in:ro'],
  environment: { NODE_EXTRA_CA_CERTS: '/etc/sidemint-stand-in/certificate.pem' },
  extra_hosts: KEY_HOSTS.map((host) => `${host}:169.254.169.254`),
}
const LINK_LOCAL = { networks: { default: {}, cloud: { ipv4_address: '169.254.169.254' } } }
const CLOUD = { cloud: { ipam: { config: [{ subnet: 'fd00::/64' }, { subnet: '169.254.169.0/24' }] } } }

/** Services, the files beside them, and more of the stack. */
const STACKS: Record<string, [services: Record<string, Data>, files?: Record<string, string>, more?: Data]> = {
  'npx in an image of Node.js, asked on the port that is then the default': [
    { sidemint: { ...NPX, working_dir: '/srv', volumes: ['./conf:/srv'] }, app: client('sidemint:16925') },
    { 'conf/sidemint.yaml': CALLER },
  ],
  'npx with a folder of the host that holds no settings': [
    { sidemint: { ...NPX, working_dir: '/srv', volumes: ['./src:/srv'] }, app: client('sidemint:16925') },
    { 'src/index.js': '' },
  ],
  "npx in a folder that nothing here tells, beside the settings of the host's own programs": [
    { sidemint: NPX, app: client('sidemint:16925') },
    { 'sidemint.yaml': CALLER },
  ],
  'the image with a port in its file': [
    { sidemint: MOUNTED, app: client('sidemint:16925') },
    { 'conf/sidemint.yaml': `port: 16925\n${CALLER}` },
  ],
  'the image with an empty variable for its port': [
    { sidemint: { ...MOUNTED, environment: { SIDEMINT_PORT: '' } }, app: client('sidemint') },
    { 'conf/sidemint.yaml': CALLER },
  ],
  'an image that is built here, with a port of its own': [
    { sidemint: { ...MOUNTED, image: undefined, build: './sidemint' }, app: client('sidemint:16925') },
    { 'conf/sidemint.yaml': CALLER },
  ],
  'an image that is built here, from a folder with its settings': [
    { sidemint: { build: './sidemint' }, app: client('sidemint') },
    { 'sidemint/sidemint.yaml': CALLER, 'sidemint/Dockerfile': 'FROM sidemint\nCOPY sidemint.yaml ./\n' },
  ],
  "the port of the caller's identity": [
    { sidemint: MOUNTED, app: client('sidemint:16926') },
    { 'conf/sidemint.yaml': `identities: [{ serviceAccount: ${ORDERS}, callers: [app], port: 16926 }]` },
  ],
  'settings named from the working directory': [
    {
      sidemint: { image: 'sidemint', working_dir: '/c', command: '--config s.yaml', volumes: ['./conf:/c'] },
      app: client('sidemint'),
    },
    { 'conf/s.yaml': CALLER },
  ],
  'settings whose path a variable gives': [
    { sidemint: { image: 'sidemint', environment: { SIDEMINT_CONFIG: '$WHERE' } }, app: client('sidemint') },
  ],
  'a second server that needs no settings, before the one that has them': [
    {
      plain: { image: 'sidemint', profiles: ['plain'], environment: { SIDEMINT_SOURCE: 'local' } },
      sidemint: { image: 'sidemint', profiles: ['full'], volumes: ['./sidemint:/etc/sidemint:ro'] },
      app: client('sidemint'),
    },
    { 'sidemint/sidemint.yaml': CALLER },
  ],
  'a gate that flags describe, with a folder of policies': [
    {
      sidemint: { image: 'sidemint' },
      gate: {
        image: 'sidemint',
        command: 'gate --upstream http://app:8080 --audience http://app --policy policy.json',
        volumes: ['./policies:/etc/sidemint:ro'],
      },
      app: client('sidemint'),
    },
    { 'policies/policy.json': '{}' },
  ],
  "a service in its gate's own network": [
    { sidemint: { ...MOUNTED, ...HOLDS_BILLING }, app: { ...client('localhost'), network_mode: 'service:sidemint' } },
    { 'conf/sidemint.yaml': gate('http://localhost:8081') },
  ],
  "a service in its gate's container": [
    {
      sidemint: { ...MOUNTED, ...HOLDS_BILLING, container_name: 'front' },
      app: { ...client('localhost'), network_mode: 'container:front' },
    },
    { 'conf/sidemint.yaml': gate('http://127.0.0.1:8081') },
  ],
  'a gate of a process on this host': [
    { sidemint: { ...MOUNTED, ...HOLDS_BILLING }, app: client('sidemint') },
    { 'conf/sidemint.yaml': gate('http://host.docker.internal:8081') },
  ],
  "a caller that asks by Google's name": [
    { sidemint: { ...MOUNTED, networks: { default: { aliases: ['metadata.google.internal'] } } }, app: waiting },
    { 'conf/sidemint.yaml': CALLER },
  ],
  "a caller that has Google's name for sidemint by a link": [
    { sidemint: MOUNTED, app: { ...waiting, links: ['sidemint:metadata.google.internal'] } },
    { 'conf/sidemint.yaml': CALLER },
  ],
  'a caller that is pointed at its link': [
    { sidemint: MOUNTED, app: { ...client('tokens'), links: ['sidemint:tokens'] } },
    { 'conf/sidemint.yaml': CALLER },
  ],
  'a caller whose command names the server': [
    {
      sidemint: MOUNTED,
      app: { ...waiting, command: ['curl', '-HMetadata-Flavor: Google', 'http://sidemint/computeMetadata/v1/'] },
    },
    { 'conf/sidemint.yaml': CALLER },
  ],
  'a caller whose command points its clients': [
    { sidemint: MOUNTED, app: { ...waiting, command: 'env GCE_METADATA_HOST=sidemint ./app' } },
    { 'conf/sidemint.yaml': CALLER },
  ],
  'one port for TCP, and the same for UDP': [
    {
      sidemint: { image: 'sidemint', ports: ['127.0.0.1:443:443'] },
      app: { ...client('sidemint'), ports: ['443:443/udp'] },
      other: { image: 'b', ports: [{ target: 443, published: '443', protocol: 'udp' }] },
    },
  ],
  'ports of the host that are free ones, or of different addresses': [
    {
      sidemint: { image: 'sidemint', ports: ['127.0.0.1:0:80', '127.0.0.1:8080:8080'] },
      app: { ...client('sidemint'), ports: ['127.0.0.1:0:8080', '127.0.0.2:8080:8080'] },
    },
  ],
  'the same address on two networks, and subnets of two families': [
    {
      sidemint: { image: 'sidemint', ...LINK_LOCAL },
      app: { ...waiting, networks: ['default', 'cloud'] },
      other: { image: 'b', networks: { far: { ipv4_address: '169.254.169.254' } } },
    },
    {},
    { networks: { ...CLOUD, far: { ipam: { config: [{ subnet: '169.254.0.0/16' }] } } } },
  ],
  'a stand-in that settings in the compose file name': [
    {
      sidemint: {
        image: 'sidemint',
        configs: [{ source: 'settings', target: '/etc/sidemint/sidemint.yaml' }],
        volumes: ['stand-in:/var/lib/sidemint-stand-in'],
        ...LINK_LOCAL,
      },
      app: { ...RECEIVER, networks: ['default', 'cloud'] },
      other: { ...RECEIVER, extra_hosts: [], networks: ['default', 'cloud'] },
    },
    {},
    { networks: CLOUD, configs: { settings: { content: 'standIn: /var/lib/sidemint-stand-in\n' } } },
  ],
  'a stand-in beside a login, where a variable says the source': [
    {
      sidemint: {
        image: 'sidemint',
        user: '1000',
        environment: { SIDEMINT_SOURCE: '$FROM', SIDEMINT_STAND_IN: '/var/lib/sidemint-stand-in' },
        volumes: ['stand-in:/var/lib/sidemint-stand-in', '~/.config/gcloud:/home/nonroot/.config/gcloud:ro'],
      },
      app: client('sidemint'),
    },
  ],
  'a receiver whose proxy spares the hosts by their ends': [
    {
      sidemint: {
        image: 'sidemint',
        environment: { SIDEMINT_SOURCE: 'local', SIDEMINT_STAND_IN: '/var/lib/sidemint-stand-in' },
        volumes: ['stand-in:/var/lib/sidemint-stand-in'],
        ...LINK_LOCAL,
      },
      app: {
        ...RECEIVER,
        networks: ['default', 'cloud'],
        environment: {
          ...RECEIVER.environment,
          HTTPS_PROXY: 'http://proxy:3128',
          NO_PROXY: '.googleapis.com, accounts.google.com,169.254.169.254,metadata.google.internal',
        },
      },
    },
    {},
    { networks: CLOUD },
  ],
  'a server whose mounts another file says': [
    {
      sidemint: { image: 'sidemint', extends: { file: 'base.yaml', service: 'sidemint' } },
      app: client('sidemint'),
    },
    { 'sidemint/sidemint.yaml': CALLER },
  ],
  'a server whose port a file of variables says': [
    { sidemint: { ...MOUNTED, env_file: 'ports.env' }, app: client('sidemint:16925') },
    { 'conf/sidemint.yaml': CALLER },
  ],
  'a server whose stand-in a file of variables says': [
    {
      sidemint: {
        image: 'sidemint',
        env_file: 'stand-in.env',
        volumes: ['stand-in:/var/lib/sidemint-stand-in'],
        ...LINK_LOCAL,
      },
      app: { ...RECEIVER, networks: ['default', 'cloud'] },
    },
    {},
    { networks: CLOUD },
  ],
  'a stand-in beside a login, where a file of variables says the source': [
    {
      sidemint: {
        image: 'sidemint',
        user: '1000',
        env_file: 'source.env',
        environment: { SIDEMINT_STAND_IN: '/var/lib/sidemint-stand-in' },
        volumes: ['stand-in:/var/lib/sidemint-stand-in', '~/.config/gcloud:/home/nonroot/.config/gcloud:ro'],
      },
      app: client('sidemint'),
    },
  ],
  'a port and an address of services that do not run': [
    {
      sidemint: { image: 'sidemint', ports: ['127.0.0.1:8080:80'], ...LINK_LOCAL },
      app: { ...waiting, networks: ['default', 'cloud'] },
      old: { image: 'b', deploy: { replicas: 0 }, ports: ['127.0.0.1:8080:8080'], ...LINK_LOCAL },
      older: { image: 'b', scale: 0, ports: ['127.0.0.1:8080:8080'], ...LINK_LOCAL },
    },
    {},
    { networks: CLOUD },
  ],
  'a control secret that a variable gives': [
    { sidemint: { image: 'sidemint', environment: ['SIDEMINT_CONTROL_SECRET=$SECRET'] }, app: client('sidemint') },
  ],
}

for (const [title, [services, files = {}, more = {}]] of Object.entries(STACKS)) {
  test(`no mistake is found: ${title}`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), 'sidemint-right-'))
    t.teardown(() => rmSync(directory, { recursive: true, force: true }))
    for (const [name, text] of Object.entries({ ...files, 'compose.yaml': stringify({ services, ...more }) })) {
      mkdirSync(dirname(join(directory, name)), { recursive: true })
      writeFileSync(join(directory, name), text)
    }
    const env = { PATH: '/nonexistent', HOME: '/nonexistent' }
    const found = await checkCompose({ files: [join(directory, 'compose.yaml')], env, stdin: async () => '' })
    t.true(found.some(({ check }) => check === 'compose:sidemint'))
    t.deepEqual(
      found.filter(({ status }) => status === 'fail').map(({ what }) => what),
      [],
    )
  })
}
