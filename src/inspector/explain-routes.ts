/** Asks this server's gates about a token, with the headers that a service would get. Read only, as the page's data is. */

import type { Judge } from '../gate/judge.ts'
import type { Routes } from '../http/app.ts'
import { explain } from './explain.ts'
import { HEADERS } from './headers.ts'

export interface ExplainParts {
  /** The gates in force. */
  judges: () => readonly Judge[]
  /** Epoch ms. */
  now: () => number
}

export function createExplainRoutes({ judges, now }: ExplainParts): Routes {
  return (router) =>
    router.get('/_sidemint/explain', async (ctx) => {
      const audience = ctx.state.inbound.target.query.get('audience') ?? undefined
      ctx.set(HEADERS)
      ctx.body = await explain(judges(), { rawHeaders: ctx.req.rawHeaders, audience, now: now() })
    })
}
