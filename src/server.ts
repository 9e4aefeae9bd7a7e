/** The only place where the parts are wired. The start lists them in order; close goes through them backwards. */

import type { RequestListener } from 'node:http'
import type { Settings } from './config/settings.ts'
import { createOrders, type Orders } from './control/orders.ts'
import { createControl } from './control/routes.ts'
import { createEvents, type Events } from './core/events.ts'
import { GOOGLE_ISSUER } from './core/google.ts'
import { NO_GATES, openFront } from './gate/front.ts'
import type { GateOptions } from './gate/options.ts'
import type { OpenGates } from './gate/server.ts'
import type { Routes } from './http/app.ts'
import { createGuard } from './http/guard.ts'
import type { Surface } from './http/target.ts'
import { createCallers } from './identity/callers.ts'
import { createSystemNames } from './identity/dns.ts'
import { createIdentities, type Identities } from './identity/identities.ts'
import type { Identity } from './identity/identity.ts'
import { openPorts } from './identity/ports.ts'
import { createInspector, type Inspector } from './inspector/inspector.ts'
import { describeServer } from './inspector/state.ts'
import { createDiscovery, JWKS_PATH } from './issuer/discovery.ts'
import { createInjectedFailures, type InjectedFailures } from './metadata/failures.ts'
import { createIdentify, type Identify } from './metadata/identify.ts'
import { createMetadata } from './metadata/surface.ts'
import { createWaiting, type Waiting } from './metadata/waiting.ts'
import type { Bounds } from './mint/bounded.ts'
import { lintAudiences } from './observe/audience-lint.ts'
import { createMetrics } from './observe/metrics.ts'
import { createOps } from './observe/ops.ts'
import { createReadiness, type Readiness } from './observe/readiness.ts'
import { openStandIn } from './stand-in/open.ts'

export interface ServerOptions {
  settings: Settings
  /** Where the standard variables are read from. */
  env: NodeJS.ProcessEnv
  /** Epoch ms. Default: the wall clock. */
  now?: () => number
  events?: Events
  /** How long mints may take. */
  bounds?: Bounds
  /** Whether the settings' gates are fronted too. Default: no. */
  frontGates?: boolean
  /** Whether the record has plain hits too. Default: they are counted. */
  keepHits?: boolean
  /** What the control API asks for; without it there is none. With it the record has plain hits too. */
  controlSecret?: string | undefined
}

export interface RunningServer extends Orders {
  /** Where it is reached from this host, without a final slash. */
  url: string
  /** The `iss` claim of locally signed tokens. */
  issuer: string
  jwksUri: string
  /** Who mints, and why this one. */
  source: Identities['source']
  /** The credentials in a few words, or what is wrong with them; only with the google source. */
  credentials: string | undefined
  /** In words, whether gcloud's variable names the default identity; undefined where it is not set. */
  inherited: string | undefined
  advice: Identities['advice']
  identities: readonly Identity[]
  /** The default identity, else the first. */
  primary: Identity
  /** The project id of its tree. */
  project: string
  /** The ports of the identities that have a listener of their own. */
  ports: ReadonlyMap<Identity, number>
  /** Where it answers as Google's key hosts; undefined where it does not. */
  standInPort: number | undefined
  /** The gates that it fronts, and where they are reached from this host. */
  front: Pick<OpenGates, 'gates' | 'urls'>
  events: Events
  record: Inspector['record']
  /** Stops accepting, gives requests in flight `graceMs` (default 0), aborts mints: those that wait get a 503. */
  close(graceMs?: number): Promise<void>
}

/** What is known only later, once the ports are open. */
interface Open {
  metadata: Surface
  url: string
  byPort: Map<number, Identity>
  gates: readonly GateOptions[]
}

/** What all parts get. */
interface Common {
  settings: Settings
  events: Events
  /** Epoch ms. */
  now: () => number
  readiness: Readiness
  waiting: Waiting
  inspector: Inspector
  open: Open
  /** The `iss` claim of locally signed tokens; known once the server listens. */
  issuer: () => string
  /** What the discovery document names: the same, or our own beside a stand-in. */
  ownIssuer: () => string
}

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { env, bounds } = options
  const common = createCommon(options)
  const { settings, events, now, readiness, waiting, inspector, open } = common
  const identities = await createIdentities({
    ...common,
    env,
    onChange: () => credentialsChanged(common),
    onDate: readiness.compareClock,
    ...(bounds === undefined ? {} : { bounds }),
  })
  const { all, local, tokens } = identities
  lintAudiences({ events, gates: settings.gates, isLocal: local !== undefined, now })
  const injected = createInjectedFailures()
  const orders = createOrders({ identities, injected, record: inspector.record })
  const control = createControl({ orders, secret: options.controlSecret, defaultAccount: identities.primary.email })
  const callers = createCallers(createSystemNames())
  const identify = createIdentify(identities, callers, open.byPort)
  const { handler, metadata } = await createHandler(common, identities, identify, injected, control)
  open.metadata = metadata
  const front = { settings, events, now, callerOf: callers.labelOf, keys: local?.keys }
  const openBefore = () => openStandIn({ settings, identities, events, now })
  const openAfter = async (at: string) => (options.frontGates ? openFront(at, front) : NO_GATES)
  const { byPort } = open
  const ports = await openPorts({ ...settings, handler, identities: all, byPort, openBefore, openAfter })
  const { url } = Object.assign(open, { url: ports.url, gates: ports.after.gates })

  return {
    url,
    issuer: common.issuer(),
    jwksUri: `${url}${JWKS_PATH}`,
    ...described(identities),
    ports: new Map([...open.byPort].map(([port, identity]) => [identity, port])),
    front: ports.after,
    standInPort: ports.before.port,
    events,
    record: inspector.record,
    ...orders,
    async close(graceMs = 0) {
      waiting.close()
      inspector.close()
      await ports.close(graceMs, () => tokens.close())
      tokens.close()
    },
  }
}

/** What those who show the server want to know of it. */
function described({ source, credentials, inherited, advice, all, primary, project }: Identities) {
  return { source, credentials, inherited, advice, identities: all, primary, project }
}

function createCommon(options: ServerOptions): Common {
  const { settings, now = Date.now, events = createEvents(), controlSecret } = options
  const open: Open = { metadata: () => undefined, url: '', byPort: new Map(), gates: [] }
  const ownIssuer = () => settings.issuer ?? open.url
  return {
    settings,
    events,
    now,
    readiness: createReadiness(events, now),
    waiting: createWaiting({ ask: (inbound) => open.metadata(inbound) }),
    inspector: createInspector({ events, now, keepHits: options.keepHits ?? controlSecret !== undefined }),
    open,
    ownIssuer,
    issuer: settings.standIn === undefined ? ownIssuer : () => GOOGLE_ISSUER,
  }
}

function credentialsChanged({ readiness, waiting, events, now }: Common): void {
  readiness.reset()
  waiting.changed()
  const text = 'the credential file has changed: tokens and remembered failures are dropped'
  events.record({ type: 'notice', at: now(), level: 'info', code: 'CREDENTIALS_CHANGED', text })
}

/** Every path that the server answers. */
async function createHandler(
  common: Common,
  identities: Identities,
  identify: Identify,
  injected: InjectedFailures,
  control: Routes,
): Promise<{ handler: RequestListener; metadata: Surface }> {
  const { settings, events, now, readiness, waiting, inspector, ownIssuer } = common
  // Koa loads while the signing key is made on a thread.
  const { createApp } = await import('./http/app.ts')
  const { all, project, projectNumber, universe, local } = identities
  const metadata = createMetadata({
    ...settings,
    project,
    projectNumber,
    universe,
    identify,
    injected,
    waiting,
    events,
    now,
  })
  const appliedAt = now()
  const state = () => describeServer({ ...common, identities, appliedAt })
  const allowHost = [...settings.allowHost, ...all.flatMap(({ hosts }) => hosts)]
  const handler = createApp({
    guard: createGuard({ metadata, allowHost, events, now }),
    routes: [
      createOps({ readiness, metrics: createMetrics(events) }),
      control,
      inspector.routes(state, { project, region: settings.region }),
      ...(local === undefined ? [] : [createDiscovery({ keys: local.keys, issuer: ownIssuer, now })]),
    ],
  })
  return { handler, metadata }
}
