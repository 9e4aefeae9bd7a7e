/** The page's data. Read only; the control API can empty it. */

import type { Place } from '../gate/lines.ts'
import type { Routes } from '../http/app.ts'
import type { InForce } from './grants.ts'
import { HEADERS } from './headers.ts'
import { createPageRoutes } from './page.ts'
import type { InspectorRecord } from './record.ts'
import type { Streams } from './streams.ts'

export interface InspectorParts {
  record: InspectorRecord
  streams: Streams
  /** The server's own state. */
  state: () => object
  place: Place
  inForce: InForce
  /** Epoch ms. */
  now: () => number
}

export function createInspectorRoutes({ record, streams, state, place, inForce, now }: InspectorParts): Routes {
  const addPage = createPageRoutes()
  return (router) => {
    addPage(router)
    const answer = (path: string, data: (query: URLSearchParams) => object | Promise<object>) =>
      router.get(`/_sidemint/${path}`, async (ctx) => {
        ctx.set(HEADERS)
        ctx.body = await data(ctx.state.inbound.target.query)
      })

    answer('requests', (query) => ({
      epoch: record.epoch,
      version: record.version,
      since: record.since,
      now: now(),
      totals: record.totals,
      bounds: record.bounds(),
      ...record.changes(),
      requests: record.requests(query.get('all') === 'true'),
    }))
    answer('grants', () => ({ ...place, ...record.grants(inForce) }))
    answer('state', () => ({ now: now(), ...state() }))
    answer('openapi.json', async () => (await import('./openapi.ts')).OPENAPI)

    router.get('/_sidemint/events', (ctx) => {
      ctx.set(HEADERS)
      const since = ctx.get('Last-Event-ID') || (ctx.state.inbound.target.query.get('since') ?? undefined)
      if (ctx.method === 'HEAD') {
        ctx.type = 'text/event-stream'
        ctx.body = ''
        return
      }
      streams.add(ctx.res, since)
      ctx.respond = false
    })
  }
}
