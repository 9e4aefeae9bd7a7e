/** The only place where the parts are wired. The start lists them in order; close goes through them backwards. */

import type { Settings } from './config/settings.ts'
import { createOrders, type Orders } from './control/orders.ts'
import { createControl } from './control/routes.ts'
import { createEvents, createNotice, type Events } from './core/events.ts'
import { GOOGLE_ISSUER } from './core/google.ts'
import type { ReadFile } from './core/snapshot.ts'
import { createCallers } from './identity/callers.ts'
import { createSystemNames } from './identity/dns.ts'
import { createIdentities, type Identities } from './identity/identities.ts'
import type { Identity } from './identity/identity.ts'
import { createInspector, type Inspector } from './inspector/inspector.ts'
import { JWKS_PATH } from './issuer/discovery.ts'
import { createInjectedFailures } from './metadata/failures.ts'
import type { Bounds } from './mint/bounded.ts'
import { lintAudiences } from './observe/audience-lint.ts'
import { createMetrics } from './observe/metrics.ts'
import { createOps } from './observe/ops.ts'
import { createReadiness } from './observe/readiness.ts'
import type { Shared, View } from './server/view.ts'
import { openViews, type Views } from './server/views.ts'
import { startWarmUp } from './server/warm-up.ts'
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
  /** What reads policies. Default: the disk. */
  readFile?: ReadFile
  /** Whether the record has plain hits too. Default: they are counted. */
  keepHits?: boolean
  /** Whether the first mint's needs are made ready once it listens. Default: no. */
  warmUp?: boolean
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
  /** A person's login that an identity stands for, in words, as it is now; undefined where each is an account. */
  ownLogin: Identities['ownLogin']
  /** In words, whether gcloud's variable names the default identity; undefined where it is not set. */
  inherited: string | undefined
  advice: Identities['advice']
  /** Who is answered as whom, as of the start. */
  identities: readonly Identity[]
  /** The default identity, else the first, as of the start. */
  primary: Identity
  /** The project id of its tree. */
  project: string
  /** The ports of the identities that have a listener of their own. */
  ports: ReadonlyMap<Identity, number>
  /** Where it answers as Google's key hosts; undefined where it does not. */
  standInPort: number | undefined
  /** The gates that it fronts, and where they are reached from this host. */
  front: View['front']
  events: Events
  record: Inspector['record']
  /**
   * Puts other settings in force while requests run: identities, metadata, gates, and what may be asked. All of them, or
   * none where it throws, as a start does. `readFile`: what reads policies.
   */
  apply(settings: Settings, readFile: ReadFile): Promise<void>
  /** Stops accepting, gives requests in flight `graceMs` (default 0), aborts mints: those that wait get a 503. */
  close(graceMs?: number): Promise<void>
}

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { env, bounds, frontGates = false, readFile } = options
  const common = createCommon(options)
  const { settings, events, now, readiness, inspector, address } = common
  let views: Views | undefined
  const identities = await createIdentities({
    ...common,
    env,
    onChange: () => credentialsChanged(common, views),
    onDate: readiness.compareClock,
    ...(bounds === undefined ? {} : { bounds }),
  })
  const { source, credentials, inherited, advice, local, tokens } = identities
  const inForce = () => views?.current() ?? { settings, identities }
  lintAudiences({ events, gates: () => inForce().settings.gates, isLocal: local !== undefined, now })
  const injected = createInjectedFailures()
  const orders = createOrders({ identities, injected, record: inspector.record })
  const defaultAccount = () => inForce().identities.primary.email
  const control = createControl({ orders, secret: options.controlSecret, defaultAccount })
  const standIn = await openStandIn({ settings, identities, all: () => inForce().identities.all, events, now })
  const opened = await openViews({ ...common, identities, injected, control, frontGates, readFile }).catch(
    (error: unknown) => standIn.close(0).then(() => Promise.reject(error)),
  )
  views = opened
  const endWarmUp = options.warmUp === true ? startWarmUp({ identities, url: address.url, events, now }) : () => {}

  return {
    url: address.url,
    issuer: common.issuer(),
    jwksUri: `${address.url}${JWKS_PATH}`,
    source,
    credentials,
    ownLogin: () => inForce().identities.ownLogin(),
    inherited,
    advice,
    ...describeStart(opened.current()),
    standInPort: standIn.port,
    events,
    record: inspector.record,
    ...orders,
    apply: opened.apply,
    async close(graceMs = 0) {
      inspector.close()
      endWarmUp()
      await Promise.all([standIn.close(graceMs), opened.close(graceMs, () => tokens.close())])
      tokens.close()
    },
  }
}

/** What all parts get. */
function createCommon({ settings, now = Date.now, events = createEvents(), controlSecret, keepHits }: ServerOptions) {
  const address = { url: '' }
  const ownIssuer = () => settings.issuer ?? address.url
  const readiness = createReadiness(events, now)
  return {
    settings,
    events,
    now,
    readiness,
    inspector: createInspector({ events, now, keepHits: keepHits ?? controlSecret !== undefined }),
    isControlled: controlSecret !== undefined,
    callers: createCallers(createSystemNames()),
    ops: createOps({ readiness, metrics: createMetrics(events) }),
    address,
    ownIssuer,
    issuer: settings.standIn === undefined ? ownIssuer : () => GOOGLE_ISSUER,
  }
}

function describeStart({ identities, byPort, front }: View) {
  const { all, primary, project } = identities
  const ports = new Map([...byPort].map(([port, identity]) => [identity, port]))
  return { identities: all, primary, project, ports, front }
}

function credentialsChanged(
  { readiness, events, now }: Pick<Shared, 'readiness' | 'events' | 'now'>,
  views: Views | undefined,
): void {
  readiness.reset()
  const text = 'the credential file has changed: tokens and remembered failures are dropped'
  createNotice(events, now)('info', 'CREDENTIALS_CHANGED', text)
  views?.changed()
}
