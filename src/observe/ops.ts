/** Our own paths under `/_sidemint/`: health, readiness and metrics. */

import type { Routes } from '../http/app.ts'
import type { Metrics } from './metrics.ts'
import type { Readiness } from './readiness.ts'

export interface OpsOptions {
  readiness: Readiness
  metrics: Metrics
}

export function createOps({ readiness, metrics }: OpsOptions): Routes {
  return (router) => {
    router.get('/_sidemint/health', (ctx) => {
      ctx.body = 'ok\n'
    })

    router.get('/_sidemint/ready', (ctx) => {
      const failing = readiness.failing()
      ctx.status = failing === undefined ? 200 : 503
      ctx.body = failing === undefined ? 'ready\n' : `${failing.code}: ${failing.fix}\n`
    })

    router.get('/_sidemint/metrics', async (ctx) => {
      const { type, body } = await metrics.scrape()
      ctx.set('Content-Type', type)
      ctx.body = body
    })
  }
}
