/** What a server answers by one set of settings. The next set has a view of its own, and shares nothing with this one that changes. */

import type { RequestListener } from 'node:http'
import type { Settings } from '../config/settings.ts'
import type { Events } from '../core/events.ts'
import type { Judge } from '../gate/judge.ts'
import { type GateOptions, hasGate } from '../gate/options.ts'
import { createApp, type Routes } from '../http/app.ts'
import { createGuard } from '../http/guard.ts'
import type { ListenOptions } from '../http/listener.ts'
import type { Doors, PreparedDoors } from '../http/ports.ts'
import type { Surface } from '../http/target.ts'
import { HEADERS } from '../http/wire.ts'
import type { Callers } from '../identity/callers.ts'
import { accountsOf } from '../identity/find.ts'
import type { Identities } from '../identity/identities.ts'
import type { Identity } from '../identity/identity.ts'
import { createExplainRoutes } from '../inspector/explain-routes.ts'
import type { Inspector } from '../inspector/inspector.ts'
import { describeServer } from '../inspector/state.ts'
import { createDiscovery } from '../issuer/discovery.ts'
import type { InjectedFailures } from '../metadata/failures.ts'
import { createIdentify, type Places } from '../metadata/identify.ts'
import { createMetadata } from '../metadata/surface.ts'
import type { Waiting } from '../metadata/waiting.ts'
import type { Readiness } from '../observe/readiness.ts'

/** What outlives a view. */
export interface Shared {
  events: Events
  /** Epoch ms. */
  now: () => number
  readiness: Readiness
  waiting: Waiting
  inspector: Inspector
  injected: InjectedFailures
  callers: Callers
  /** Health, readiness and metrics. */
  ops: Routes
  control: Routes
  /** Whether a control secret is set. */
  isControlled: boolean
  /** Where the server is reached from this host, without a final slash; empty until it listens. */
  address: { url: string }
  /** The `iss` claim of locally signed tokens. */
  issuer: () => string
  /** What the discovery document names: the same, or our own beside a stand-in. */
  ownIssuer: () => string
}

export interface View {
  settings: Settings
  identities: Identities
  metadata: Surface
  /** The server's own port, and those of identities that have one. */
  doors: Doors
  /** The gates that are fronted, and where they are reached from this host. */
  front: { judges: readonly Judge[]; gates: readonly GateOptions[]; urls: readonly string[] }
  /** Of identities that have a port. */
  byPort: ReadonlyMap<number, Identity>
  /** Its ports are open. */
  opened(doors: PreparedDoors): void
}

/** The name of the server's own port. */
export const OWN_PORT = 'server'

export function createView(shared: Shared, settings: Settings, identities: Identities): View {
  const { host, port } = settings
  const byPort = new Map<number, Identity>()
  const places: Places = { byPort, own: undefined }
  const withPort = identities.all.flatMap((identity) => {
    const { port: wanted } = identity
    // Known before it is open, so that its first request is its identity's.
    if (wanted) byPort.set(wanted, identity)
    return wanted === undefined ? [] : [{ identity, port: wanted, name: doorOf(identity) }]
  })
  const front: View['front'] = { judges: [], gates: [], urls: [] }
  const { project, projectNumber, universe } = identities
  const { events, now, injected, waiting } = shared
  const metadata = createMetadata({
    ...settings,
    events,
    now,
    injected,
    waiting,
    project,
    projectNumber,
    universe,
    identify: createIdentify(identities, shared.callers, places),
  })
  const view: View = { settings, identities, metadata, doors: new Map(), front, byPort, opened }
  const handler = createHandler(shared, view)
  const door = (wanted: number): ListenOptions => ({ host, port: wanted, handler, headers: HEADERS })
  view.doors = new Map([[OWN_PORT, door(port)], ...withPort.map((one) => [one.name, door(one.port)] as const)])

  function opened(doors: PreparedDoors): void {
    places.own = doors.portOf(OWN_PORT)
    for (const { name, identity } of withPort) byPort.set(doors.portOf(name), identity)
  }

  return view
}

/** A port stays open while it is asked for, whoever's it is; one that was free belongs to its identity. */
function doorOf({ port, email, callers, hosts }: Identity): string {
  return `identity ${port || [email, ...callers, ...hosts].join(' ')}`
}

/** Every path that the server answers. */
function createHandler(shared: Shared, view: View): RequestListener {
  const { events, now, readiness, inspector, ops, control, address, issuer, ownIssuer } = shared
  const { settings, identities, metadata, byPort } = view
  const { all, namedProject, local } = identities
  const appliedAt = now()
  const state = () =>
    describeServer({
      settings,
      identities,
      readiness,
      open: { url: address.url, byPort, gates: view.front.gates },
      issuer,
      appliedAt,
      control: shared.isControlled,
    })
  const place = { project: namedProject, region: settings.region }
  const allowHost = [...settings.allowHost, ...all.flatMap(({ hosts }) => hosts)]
  return createApp({
    guard: createGuard({ metadata, allowHost, events, now }),
    routes: [
      ops,
      control,
      inspector.routes(state, place, {
        hasGate: (host) => hasGate(view.front.gates, host),
        accountsOf: (caller) => accountsOf(all, caller),
      }),
      createExplainRoutes({ judges: () => view.front.judges, now }),
      ...(local === undefined ? [] : [createDiscovery({ keys: local.keys, issuer: ownIssuer, now })]),
    ],
  })
}
