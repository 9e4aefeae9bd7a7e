/** The only place where the parts are wired. Start reads as an index of the program; close runs it backwards. */

import type { Socket } from 'node:net'
import type { Settings } from './config/settings.ts'
import { failure, type SidemintError } from './core/errors.ts'
import { createEvents, type Events } from './core/events.ts'
import { reachable } from './core/host.ts'
import type { Token } from './core/token.ts'
import { createGuard } from './http/guard.ts'
import { type Listener, listen } from './http/listener.ts'
import { HEADERS } from './http/wire.ts'
import { type Caller, createCallers } from './identity/callers.ts'
import { createSystemNames } from './identity/dns.ts'
import { createIdentities, type Identities, type Identity } from './identity/identities.ts'
import { createDiscovery, JWKS_PATH } from './issuer/discovery.ts'
import type { IssueOptions } from './issuer/local.ts'
import { createMetadata } from './metadata/surface.ts'
import type { Bounds } from './mint/bounded.ts'
import { lintAudiences } from './observe/audience-lint.ts'
import { createMetrics } from './observe/metrics.ts'
import { createOps } from './observe/ops.ts'
import { createReadiness } from './observe/readiness.ts'

export interface ServerOptions {
  settings: Settings
  /** Where the standard variables are read from. */
  env: NodeJS.ProcessEnv
  /** Epoch ms. Default: the wall clock. */
  now?: () => number
  events?: Events
  /** How long mints may take. */
  bounds?: Bounds
}

export interface RunningServer {
  /** Where it is reached from this host, without a final slash. */
  url: string
  /** The `iss` claim of locally signed tokens. */
  issuer: string
  jwksUri: string
  /** Who mints, and why this one. */
  source: Identities['source']
  /** The credentials in a few words, or what is wrong with them; of the google source alone. */
  credentials: string | undefined
  /** Whether gcloud's variable says who is the default, where it is set. */
  inherited: string | undefined
  identities: readonly Identity[]
  /** The default identity, else the first. */
  primary: Identity
  /** The ports of the identities that have a listener of their own. */
  ports: ReadonlyMap<Identity, number>
  events: Events
  /** Signs an ID token with any claims. */
  issueToken(options: IssueOptions): Promise<Token>
  /** The next `times` token requests are answered with this status and the code INJECTED. */
  failNext(order: { status: number; times: number }): void
  /** Stops accepting, gives requests in flight `graceMs` (default 0), aborts mints. */
  close(graceMs?: number): Promise<void>
}

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { settings, env, now = Date.now, events = createEvents(), bounds } = options
  let ownUrl = ''
  const issuer = () => settings.issuer ?? ownUrl
  const readiness = createReadiness(events, now)
  const identities = await createIdentities({
    settings,
    env,
    issuer,
    events,
    now,
    onChange: () => {
      readiness.reset()
      const text = 'the credential file has changed: tokens and remembered failures are dropped'
      events.record({ type: 'notice', at: now(), level: 'info', code: 'CREDENTIALS_CHANGED', text })
    },
    onDate: readiness.compareClock,
    ...(bounds === undefined ? {} : { bounds }),
  })
  const { source, all, primary, project, projectNumber, local, tokens } = identities
  if (local === undefined) lintAudiences({ events, accepted: settings.gates.flatMap(({ audience }) => audience), now })
  // Koa loads while the signing key is made on a thread.
  const { createApp } = await import('./http/app.ts')
  const callers = createCallers(createSystemNames())
  const listeners = new Map<number, Identity>()
  const orders = createOrders()
  const ops = createOps({ readiness, metrics: createMetrics(events) })
  const askerOf = (caller: Caller, host: string, { localPort = 0 }: Socket) => ({
    caller,
    identity: identities.find({ caller, host, listener: listeners.get(localPort) }),
  })
  const metadata = createMetadata({
    platform: settings.platform,
    project,
    projectNumber,
    region: settings.region,
    zone: settings.zone,
    metadata: settings.metadata,
    allowAudience: settings.allowAudience,
    whoAsks: ({ socket, host }) => {
      const caller = callers.of(socket)
      return identities.needNames && caller.naming !== undefined
        ? caller.naming.then(() => askerOf(caller, host, socket))
        : askerOf(caller, host, socket)
    },
    ordered: orders.take,
    events,
    now,
  })
  const allowHost = [...settings.allowHost, ...all.flatMap(({ hosts }) => hosts)]
  const app = createApp({
    guard: createGuard({ metadata, allowHost, events, now }),
    routes: {
      ...(local === undefined ? {} : createDiscovery({ key: local.key, issuer, now })),
      ...ops,
    },
  })
  const open: Listener[] = []
  const listenOn = async (port: number) => {
    const listener = await listen({ host: settings.host, port, handler: app, headers: HEADERS })
    open.push(listener)
    return listener.port
  }
  const close = (graceMs: number) => Promise.all(open.map((listener) => listener.close(graceMs)))
  try {
    ownUrl = `http://${reachable(settings.host)}:${await listenOn(settings.port)}`
    for (const identity of all) {
      if (identity.port !== undefined) listeners.set(await listenOn(identity.port), identity)
    }
  } catch (error) {
    await close(0)
    throw error
  }

  return {
    url: ownUrl,
    issuer: issuer(),
    jwksUri: `${ownUrl}${JWKS_PATH}`,
    source,
    credentials: identities.credentials,
    inherited: identities.inherited,
    identities: all,
    primary,
    ports: new Map([...listeners].map(([port, identity]) => [identity, port])),
    events,
    async issueToken(asked) {
      if (local === undefined) throw failure('LOCAL_SOURCE_ONLY', { what: 'issueToken', source: source.name })
      return local.source.issue(asked)
    },
    failNext: orders.give,
    async close(graceMs = 0) {
      await close(graceMs)
      tokens.close()
    },
  }
}

/** Failures that a test ordered, taken one a request. */
function createOrders() {
  let status = 503
  let left = 0
  return {
    give(order: { status: number; times: number }) {
      if (!Number.isInteger(order.times) || order.times < 0) throw new RangeError('times must be a whole number from 0')
      if (!Number.isInteger(order.status) || order.status < 400 || order.status > 599) {
        throw new RangeError('status must be a failure, from 400 to 599')
      }
      status = order.status
      left = order.times
    },
    take(): SidemintError | undefined {
      if (left === 0) return undefined
      left -= 1
      return failure('INJECTED', { left: String(left) }, { status })
    },
  }
}
