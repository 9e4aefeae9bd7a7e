/** Our own paths under `/_sidemint/`: whether the process is alive, and whether its last mint failed for good. */

import type { Readiness } from '../readiness.ts'
import type { Answer } from '../wire.ts'

const PLAIN = 'text/plain; charset=utf-8'

export function createOps({ readiness }: { readiness: Readiness }) {
  return {
    health: (): Answer => ({ status: 200, type: PLAIN, body: 'ok\n' }),
    ready: (): Answer => {
      const failing = readiness.failing()
      return failing === undefined
        ? { status: 200, type: PLAIN, body: 'ready\n' }
        : { status: 503, type: PLAIN, body: `${failing.code}: ${failing.reason}\n` }
    },
  }
}
