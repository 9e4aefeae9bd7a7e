/** The wiring of `sidemint gate`: the gates on their ports, health and metrics on a port of their own. */

import type { Events } from '../core/events.ts'
import { reachable } from '../core/host.ts'
import { createApp } from '../http/app.ts'
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
 * Idle connections of callers are kept as long as Google's front end keeps them; many clients reuse them blindly. A
 * request may take an hour to arrive, Cloud Run's longest timeout (cloud.google.com/run/docs/configuring/request-timeout).
 */
const TIMES = { keepAliveMs: 620_000, requestMs: 3_600_000 }

/** Whoever may read these is on this machine, or in the gate's container. */
const ADMIN_HOST = '127.0.0.1'

export interface GateServerOptions {
  settings: GateSettings & { host: string }
  events: Events
  /** Epoch ms. Default: the wall clock. */
  now?: () => number
  callerOf?: GatesOptions['callerOf']
}

export interface RunningGates {
  gates: readonly GateOptions[]
  /** Where they are reached from this host; the first is that of the gates without a port, where there are such. */
  urls: readonly string[]
  /** Where health and metrics are. */
  adminUrl: string
  /** Stops accepting, gives what is in flight `graceMs` (default 0), then cuts it off. */
  close(graceMs?: number): Promise<void>
}

/** Throws SETTINGS_INVALID for policies that cannot be used, PORT_TAKEN and ADDRESS_UNAVAILABLE. */
export async function startGates({
  settings,
  events,
  now = Date.now,
  callerOf,
}: GateServerOptions): Promise<RunningGates> {
  const named = callerOf === undefined ? {} : { callerOf }
  const { host, port: sharedPort, adminPort } = settings
  const ops = createOps({ readiness: createReadiness(events, now), metrics: createMetrics(events) })
  const gates = gatesOf(settings)
  const admin = createApp({
    guard: createGuard({ metadata: () => undefined, allowHost: [], events, now }),
    routes: [ops],
  })
  const open: Listener[] = []
  const close = async (graceMs = 0) => void (await Promise.all(open.map((listener) => listener.close(graceMs))))
  try {
    for (const { port = sharedPort, ...listener } of await createGates(gates, { events, now, ...named })) {
      open.push(await listen({ host, port, ...listener, ...TIMES, headers: [] }))
    }
    const urls = open.map(({ port }) => `http://${reachable(host)}:${port}`)
    const own = await listen({
      host: ADMIN_HOST,
      port: adminPort,
      setting: '--admin-port',
      handler: admin,
      headers: HEADERS,
    })
    open.push(own)
    return { gates, urls, adminUrl: `http://${ADMIN_HOST}:${own.port}`, close }
  } catch (error) {
    await close()
    throw error
  }
}
