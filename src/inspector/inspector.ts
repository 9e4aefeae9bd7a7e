/** The inspector. It reads events from the moment it is made, and answers once its routes are mounted. */

import type { Events } from '../core/events.ts'
import type { Place } from '../gate/lines.ts'
import type { Routes } from '../http/app.ts'
import { type InForce, NOTHING_KNOWN } from './grants.ts'
import { InspectorRecord } from './record.ts'
import { createInspectorRoutes } from './routes.ts'
import { Streams } from './streams.ts'

export interface InspectorOptions {
  events: Events
  /** Epoch ms. */
  now: () => number
  /** Whether plain hits are kept too, and not only counted. */
  keepHits: boolean
}

export interface Inspector {
  record: InspectorRecord
  /** `state`: the server's own state now. */
  routes(state: () => object, place?: Place, inForce?: InForce): Routes
  /** Ends the streams of events. */
  close(): void
}

export function createInspector({ events, now, keepHits }: InspectorOptions): Inspector {
  const record = new InspectorRecord({ events, now, keepHits })
  const streams = new Streams(record)
  return {
    record,
    routes: (state, place = {}, inForce = NOTHING_KNOWN) =>
      createInspectorRoutes({ record, streams, state, place, inForce, now }),
    close: () => streams.close(),
  }
}
