/** Gates on their ports, and the wiring of `sidemint gate`, whose health and metrics have a port of their own. */

import type { Events } from '../core/events.ts'
import { reachable } from '../core/host.ts'
import { createApp, type Routes } from '../http/app.ts'
import { createGuard } from '../http/guard.ts'
import { type Listener, listen } from '../http/listener.ts'
import { HEADERS } from '../http/wire.ts'
import { createMetrics } from '../observe/metrics.ts'
import { createOps } from '../observe/ops.ts'
import { createReadiness } from '../observe/readiness.ts'
import { createGates, type GatesOptions } from './hosts.ts'
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
export interface Place {
  host: string
  /** Of the gates without a port of their own. */
  port: number
  /** How that port is set, for the fix where it is taken. */
  setting: string
}

export interface OpenGates {
  gates: readonly GateOptions[]
  /** How this host reaches them. The first is for the gates without a port, where there are any. */
  urls: readonly string[]
  /** Stops accepting, gives what is in flight `graceMs` (default 0), then cuts it off. */
  close(graceMs?: number): Promise<void>
}

/** Throws SETTINGS_INVALID for policies that cannot be used, PORT_TAKEN and ADDRESS_UNAVAILABLE. */
export async function openGates(
  gates: readonly GateOptions[],
  { host, port: shared, setting }: Place,
  options: GatesOptions,
): Promise<OpenGates> {
  const open: Listener[] = []
  const close = async (graceMs = 0) => void (await Promise.all(open.map((listener) => listener.close(graceMs))))
  const listeners = await createGates(gates, options)
  try {
    for (const { port, ...listener } of listeners.toSorted((a, b) => (a.port ?? 0) - (b.port ?? 0))) {
      const place = port === undefined ? { port: shared, setting } : { port, setting: '`port:` under `gates:`' }
      open.push(await listen({ host, ...place, ...listener, ...TIMES, headers: [] }))
    }
    return { gates, urls: open.map(({ port }) => `http://${reachable(host)}:${port}`), close }
  } catch (error) {
    await close()
    throw error
  }
}

export interface GateServerOptions {
  settings: GateSettings & { host: string }
  events: Events
  /** Epoch ms. Default: the wall clock. */
  now?: () => number
  callerOf?: GatesOptions['callerOf']
  /** Further paths beside health and metrics. */
  adminRoutes?: readonly Routes[]
}

export interface RunningGates extends OpenGates {
  /** Where health and metrics are. */
  adminUrl: string
}

/** Throws as `openGates` does. */
export async function startGates({
  settings,
  events,
  now = Date.now,
  callerOf,
  adminRoutes = [],
}: GateServerOptions): Promise<RunningGates> {
  const named = callerOf === undefined ? {} : { callerOf }
  const { host, port, adminPort } = settings
  const ops = createOps({ readiness: createReadiness(events, now), metrics: createMetrics(events) })
  const handler = createApp({
    guard: createGuard({ metadata: () => undefined, allowHost: [], events, now }),
    routes: [ops, ...adminRoutes],
  })
  const place = { host, port, setting: '--port or --host' }
  const front = await openGates(gatesOf(settings), place, { events, now, ...named })
  try {
    const setting = '--admin-port'
    const admin = await listen({ host: ADMIN_HOST, port: adminPort, setting, handler, headers: HEADERS })
    const close = async (graceMs = 0) => void (await Promise.all([front.close(graceMs), admin.close(graceMs)]))
    return { ...front, adminUrl: `http://${ADMIN_HOST}:${admin.port}`, close }
  } catch (error) {
    await front.close()
    throw error
  }
}
