/** Our own paths under `/_sidemint/`: whether the process is alive, whether its last mint failed for good, its metrics. */

import type { Answer } from '../http/wire.ts'
import type { Metrics } from './metrics.ts'
import type { Readiness } from './readiness.ts'

const PLAIN = 'text/plain; charset=utf-8'

export interface OpsOptions {
  readiness: Readiness
  metrics: Metrics
}

/** The answers by path. */
export function createOps({ readiness, metrics }: OpsOptions) {
  return {
    '/_sidemint/health': (): Answer => ({ status: 200, type: PLAIN, body: 'ok\n' }),
    '/_sidemint/ready': (): Answer => {
      const failing = readiness.failing()
      return failing === undefined
        ? { status: 200, type: PLAIN, body: 'ready\n' }
        : { status: 503, type: PLAIN, body: `${failing.code}: ${failing.reason}\n` }
    },
    '/_sidemint/metrics': async (): Promise<Answer> => ({ status: 200, ...(await metrics.scrape()) }),
  }
}
