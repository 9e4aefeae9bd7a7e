import { constants, createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { createAccounts } from './accounts.ts'
import { createCerts } from './certs.ts'
import { createCloudRun } from './cloud-run.ts'
import { type Adc, type Credentials, createCredentials, type SubjectTokens } from './credentials.ts'
import { createFaults, type Fault } from './faults.ts'
import { type Call, type Handler, listener } from './http.ts'
import { createIam } from './iam.ts'
import { createIdp, createProvider, IDP, type WorkloadProvider } from './idp.ts'
import { kept } from './kept.ts'
import { createMetadata, type Machine, METADATA } from './metadata.ts'
import { createOauth2 } from './oauth2.ts'
import { type Connections, createProxy } from './proxy.ts'
import { createSts } from './sts.ts'
import type { Authority } from './tls.ts'
import { createWorld, projectNumber } from './world.ts'

export interface FakeGoogleOptions {
  /** Address to listen on; default 127.0.0.1. */
  host?: string
  /** Ports; default 0, a free one each. */
  tlsPort?: number
  proxyPort?: number
  metadataPort?: number
  /** Where the CA and credential files go; default a temporary directory, removed on close. */
  dir?: string
  /** Services on Cloud Run: the gate's URL by host, `pricing-3f2a-uc.a.run.app`. */
  cloudRun?: Record<string, string>
  /** Universes beside Google's own, by their domain. */
  universes?: string[]
  /** Google's clock in epoch ms, before `clock.offsetMs`; default Date.now. */
  now?: () => number
}

/** Another universe: its own accounts, keys and grants. */
export interface FakeUniverse extends Credentials {
  grant(member: string, permission: string, target: string): void
  workloadProvider(project?: string): Promise<WorkloadProvider>
}

export interface FakeGoogle extends Credentials {
  universe(domain: string): FakeUniverse
  /** Every call, in order of arrival. */
  calls: Call[]
  /** How many calls agree with what is given; the path need only be contained. */
  count(match?: Partial<Pick<Call, 'host' | 'path' | 'grant' | 'status'>>): number
  /** What else was asked of the proxy, and refused: `host:port`, or a URL. */
  strangers: string[]
  connections: Connections
  /** Orders a fault; the function returned takes it back. */
  fault(fault: Fault): () => void
  clearFaults(): void
  /** Set `offsetMs` to put Google's clock ahead (or, negative, behind). */
  clock: { offsetMs: number }
  /** The tokens that STS gives for a workload's; a provider whose own token is short-lived makes them short-lived too. */
  exchanged: { lifetimeSeconds: number }
  /** Lets it exist, with nothing granted. */
  serviceAccount(email: string): void
  /**
   * Grants a permission (`iam.serviceAccounts.getOpenIdToken`) or a role on a service account, which exists from then
   * on, or on a project. `member` is an e-mail address or `principal://…`, with or without `user:` or `serviceAccount:`.
   */
  grant(member: string, permission: string, target: string): void
  ungrant(member: string, permission: string, target: string): void
  /** Turns the IAM Credentials API off in a project. */
  disableApi(project: string): void
  enableApi(project: string): void
  /** Ends all logins of a user and deletes all keys of a service account. */
  revoke(principal: string): void
  /** The user's organisation wants a new sign-in: refreshing fails with invalid_rapt. */
  requireReauth(user: string): void
  /** A provider of the workload identity pool `ci` of a project (default: acme-dev). */
  workloadProvider(project?: string): Promise<WorkloadProvider>
  /** A real machine's metadata server: `host` is its host:port. Calls are recorded under `metadata.google.internal`. */
  metadata: Machine & { host: string }
  /** An ID token signed by Google, with these claims. */
  idToken(claims: Record<string, unknown>): Promise<string>
  /** Whose an access token is, and what for; undefined where Google gave no such token. */
  accessToken(token: string): { principal: string; scopes: readonly string[] } | undefined
  /** Writes a JSON credential, or text, into the directory. Returns its path. */
  write(name: string, content: Adc | string | Buffer): string
  /** What must appear in no log, answer or metric. */
  secrets: ReadonlySet<string>
  caPem: string
  caFile: string
  proxyUrl: string
  /** Where the hosts answer without the proxy; the name is chosen by the Host header. */
  tlsPort: number
  dir: string
  /** For a child process: HTTPS_PROXY, NO_PROXY and NODE_EXTRA_CA_CERTS. */
  env: Record<string, string>
  /** Lets this process trust its CA, to the end. A source is led to the proxy by `env`. */
  trust(): void
  /** The variables for this process, and only its CA; taken back on close. */
  applyEnv(): void
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Google behind a proxy: the real host names, over TLS with a CA of our own, as strict as Google. */
export async function startFakeGoogle(options: FakeGoogleOptions = {}): Promise<FakeGoogle> {
  const { host = '127.0.0.1', now = Date.now } = options
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'fake-google-'))
  const clock = { offsetMs: 0 }
  const exchanged = { lifetimeSeconds: 3600 }
  const world = createWorld(() => now() + clock.offsetMs)
  const universes = (options.universes ?? []).map((domain) => createWorld(world.now, domain, world.secrets))
  const faults = createFaults()
  const calls: Call[] = []
  const strangers: string[] = []
  const connections: Connections = { made: 0, open: 0, most: 0 }
  const handlers: Record<string, Handler> = {
    'oauth2.googleapis.com': createOauth2(world),
    'iamcredentials.googleapis.com': createIam(world),
    'sts.googleapis.com': createSts(world, exchanged),
    'www.googleapis.com': createCerts(world),
    'accounts.google.com': createAccounts(),
    ...Object.fromEntries(
      universes.flatMap((other) => [
        [`iamcredentials.${other.universe}`, createIam(other)],
        [`sts.${other.universe}`, createSts(other)],
      ]),
    ),
    ...Object.fromEntries(Object.entries(options.cloudRun ?? {}).map(([name, url]) => [name, createCloudRun(url)])),
  }
  const hosts = Object.keys(handlers)
  const authority = await authorityFor(hosts)

  const site = { now: world.now, faults, calls }
  const google = createTlsServer(
    { key: authority.keyPem, cert: authority.certificatePem, ...BRIEF },
    listener({
      ...site,
      find: ({ headers }) => {
        const name = `${headers.host}`.replace(/:443$/, '')
        const handler = handlers[name]
        return handler && { host: name, handler }
      },
    }),
  )
  const tlsPort = await listen(google, host, options.tlsPort)
  const proxy = createProxy(hosts, google, strangers, connections)
  const proxyPort = await listen(proxy, host, options.proxyPort)
  const machine: Machine = { email: 'vm@acme-dev.iam.gserviceaccount.com' }
  const metadataHandler = createMetadata(world, machine)
  const subjectUrls = new Map<string, () => string>()
  const idpHandler = createIdp(subjectUrls)
  const plain = createServer(
    listener({
      ...site,
      find: ({ url }) =>
        url?.startsWith('/subject-token/')
          ? { host: IDP, handler: idpHandler }
          : { host: METADATA, handler: metadataHandler },
    }),
  )
  const metadataHost = `127.0.0.1:${await listen(plain, host, options.metadataPort)}`
  const servers = [google, proxy, plain]
  const sockets = watch(servers)

  const write = (name: string, content: Adc | string | Buffer) => {
    const path = join(dir, name)
    mkdirSync(dirname(path), { recursive: true })
    const isText = typeof content === 'string' || Buffer.isBuffer(content)
    writeFileSync(path, isText ? content : JSON.stringify(content, null, 2))
    return path
  }
  const caFile = write('ca.pem', authority.caPem)
  const proxyUrl = `http://127.0.0.1:${proxyPort}`
  const env = { HTTPS_PROXY: proxyUrl, NO_PROXY: '127.0.0.1,localhost', NODE_EXTRA_CA_CERTS: caFile }
  const undo: (() => void)[] = []

  const close = async () => {
    for (const step of undo.splice(0)) step()
    for (const socket of sockets) socket.destroy()
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
    if (!options.dir) rmSync(dir, { recursive: true, force: true })
  }

  const subjectTokens: SubjectTokens = {
    file: (name, token) => write(`subject-token-${name}`, token),
    url(name, token) {
      subjectUrls.set(`/subject-token/${name}`, token)
      return `http://${metadataHost}/subject-token/${name}`
    },
  }

  return {
    ...createCredentials(world, subjectTokens),
    universe(domain) {
      const other = universes.find(({ universe }) => universe === domain)
      if (other === undefined) throw new Error(`no universe ${domain}`)
      const workloadProvider = (project = 'acme-dev') => createProvider(other, project)
      return { ...createCredentials(other, subjectTokens), grant: other.grant, workloadProvider }
    },
    calls,
    count: (match = {}) =>
      calls.filter(
        (call) =>
          (match.host ?? call.host) === call.host &&
          call.path.includes(match.path ?? '') &&
          (match.grant ?? call.grant) === call.grant &&
          (match.status ?? call.status) === call.status,
      ).length,
    strangers,
    connections,
    fault: faults.order,
    clearFaults: faults.clear,
    clock,
    exchanged,
    serviceAccount: (email) => void world.createAccount(email),
    grant: world.grant,
    ungrant: world.ungrant,
    disableApi: (project) => void world.disabledApis.add(projectNumber(project)),
    enableApi: (project) => void world.disabledApis.delete(projectNumber(project)),
    revoke(principal) {
      for (const login of world.logins.values()) if (login.principal === principal) login.revoked = true
      world.accounts.get(principal)?.keys.splice(0)
    },
    requireReauth: (user) => void world.reauth.add(user),
    workloadProvider: (project = 'acme-dev') => createProvider(world, project),
    metadata: Object.assign(machine, { host: metadataHost }),
    idToken: world.issueIdToken,
    accessToken: (token) => world.accessTokens.get(token),
    write,
    secrets: world.secrets,
    caPem: authority.caPem,
    caFile,
    proxyUrl,
    tlsPort,
    dir,
    env,
    trust: () => trust(authority.caPem),
    applyEnv() {
      undo.push(trustAlone(authority.caPem), setEnv({ HTTPS_PROXY: env.HTTPS_PROXY, NO_PROXY: env.NO_PROXY }))
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Kept from run to run: the library that makes certificates takes longer to load than most tests run. */
export async function authorityFor(hosts: readonly string[]): Promise<Authority> {
  const name = createHash('sha256').update(hosts.join()).digest('hex')
  const make = async () => JSON.stringify(await (await import('./tls.ts')).createAuthority(hosts))
  return JSON.parse(await kept(`authority-${name}.json`, make))
}

/** Without tickets, which no client here comes back with, and with the quicker curves, a handshake takes a tenth less. */
const BRIEF = { secureOptions: constants.SSL_OP_NO_TICKET, ecdhCurve: 'X25519:P-256' }

async function listen(server: NetServer, host: string, port = 0): Promise<number> {
  await new Promise<void>((done, fail) => server.once('error', fail).listen(port, host, done))
  return (server.address() as AddressInfo).port
}

/** All sockets, those handed over by CONNECT too, which no server closes by itself. */
function watch(servers: NetServer[]): Set<Socket> {
  const sockets = new Set<Socket>()
  for (const server of servers) {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
  }
  return sockets
}

/** Those of the tests of this process, and nobody else: reading the hundred and fifty that Node.js knows takes longer than a mint. */
const trusted = new Set<string>()

/** Has this process trust the certificates of this authority, as long as it runs. */
export function trust(caPem: string): void {
  if (!trusted.has(caPem)) setDefaultCACertificates([...trusted.add(caPem)])
}

function trustAlone(caPem: string): () => void {
  const before = getCACertificates('default')
  setDefaultCACertificates([caPem])
  return () => setDefaultCACertificates(before)
}

/** Sets variables of this process; the function returned takes that back. */
export function setEnv(values: Record<string, string>): () => void {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const)
  Object.assign(process.env, values)
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
