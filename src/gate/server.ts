/** Gates on their ports, and the wiring of `sidemint gate`, whose health and metrics have a port of their own. */

import type { Events } from '../core/events.ts'
import { reachable } from '../core/host.ts'
import type { ReadFile } from '../core/snapshot.ts'
import { createApp, type Routes } from '../http/app.ts'
import { createGuard } from '../http/guard.ts'
import type { ListenOptions } from '../http/listener.ts'
import { createPorts, type Doors } from '../http/ports.ts'
import { HEADERS } from '../http/wire.ts'
import { createMetrics } from '../observe/metrics.ts'
import { createOps } from '../observe/ops.ts'
import { createReadiness } from '../observe/readiness.ts'
import { createGates, type GatesOptions } from './hosts.ts'
import { createJudges, type Judge, type JudgesOptions } from './judge.ts'
import { type GateOptions, gatesOf } from './options.ts'
import type { GateSettings } from './settings.ts'

/**
 * Callers' idle connections are kept for about as long as Google's front end keeps them: many clients use one again
 * without asking. A request may take an hour, Cloud Run's longest timeout (docs/gate.md, "What passes here and not there").
 */
const TIMES = { keepAliveMs: 620_000, requestMs: 3_600_000 }

/** Only this machine, or the gate's container, may read these. */
const ADMIN_HOST = '127.0.0.1'

/** Where gates listen. */
export interface Listening {
  host: string
  /** Of the gates without a port of their own. */
  port: number
  /** How that port is set, for the fix where it is taken. */
  setting: string
}

/** Their ports, that of the gates without one first. */
export function createGateDoors(
  judges: readonly Judge[],
  { host, port: shared, setting }: Listening,
  options: GatesOptions,
): Doors {
  const listeners = createGates(judges, options)
  const sorted = listeners.toSorted((a, b) => (a.port ?? 0) - (b.port ?? 0))
  return new Map(
    sorted.map(({ port, ...listener }) => {
      const place = port === undefined ? { port: shared, setting } : { port, setting: '`port:` under `gates:`' }
      return [`gates ${port ?? 'without a port'}`, { host, ...place, ...listener, ...TIMES, headers: [] }]
    }),
  )
}

export interface GateServerOptions {
  settings: GateServerSettings
  events: Events
  /** Epoch ms. Default: the wall clock. */
  now?: () => number
  callerOf?: GatesOptions['callerOf']
  readFile?: JudgesOptions['readFile']
  /** Further paths beside health and metrics. */
  adminRoutes?: readonly Routes[]
}

type GateServerSettings = GateSettings & { readonly host: string }

export interface RunningGates {
  readonly gates: readonly GateOptions[]
  readonly judges: readonly Judge[]
  /** How this host reaches them. The first is for the gates without a port, where there are any. */
  readonly urls: readonly string[]
  /** Where health and metrics are. */
  adminUrl: string
  /** Puts other gates in the place of these: all of them, or none where it throws, as `startGates` does. */
  apply(settings: GateServerSettings, readFile: ReadFile): Promise<void>
  /** Stops accepting, gives what is in flight `graceMs` (default 0), then cuts it off. */
  close(graceMs?: number): Promise<void>
}

/** Throws SETTINGS_INVALID for policies that cannot be used, PORT_TAKEN and ADDRESS_UNAVAILABLE. */
export async function startGates(options: GateServerOptions): Promise<RunningGates> {
  const { events, now = Date.now, callerOf, settings: first, readFile: firstRead, adminRoutes = [] } = options
  const ports = createPorts()
  const fetched: JudgesOptions['fetched'] = new Map()
  const adminDoor = createAdminDoor(first.adminPort, adminRoutes, events, now)
  let judges: readonly Judge[] = []
  let urls: readonly string[] = []
  let adminUrl = ''

  async function apply(settings: GateServerSettings, readFile: JudgesOptions['readFile']): Promise<void> {
    const { host, port } = settings
    const shared = { events, now, ...(callerOf === undefined ? {} : { callerOf }) }
    const next = await createJudges(gatesOf(settings), { events, now, fetched, readFile })
    const doors = createGateDoors(next, { host, port, setting: '--port or --host' }, shared)
    const prepared = await ports.prepare(new Map([...doors, [ADMIN, adminDoor]]))
    prepared.enter()
    judges = next
    urls = [...doors.keys()].map((name) => `http://${reachable(host)}:${prepared.portOf(name)}`)
    adminUrl = `http://${ADMIN_HOST}:${prepared.portOf(ADMIN)}`
  }

  await apply(first, firstRead)
  return {
    get gates() {
      return judges.map(({ gate }) => gate)
    },
    get judges() {
      return judges
    },
    get urls() {
      return urls
    },
    adminUrl,
    apply,
    close: (graceMs = 0) => ports.close(graceMs),
  }
}

const ADMIN = 'admin'

function createAdminDoor(
  port: number,
  adminRoutes: readonly Routes[],
  events: Events,
  now: () => number,
): ListenOptions {
  const ops = createOps({ readiness: createReadiness(events, now), metrics: createMetrics(events) })
  const guard = createGuard({ metadata: () => undefined, allowHost: [], events, now })
  const handler = createApp({ guard, routes: [ops, ...adminRoutes] })
  return { host: ADMIN_HOST, port, setting: '--admin-port', handler, headers: HEADERS }
}
