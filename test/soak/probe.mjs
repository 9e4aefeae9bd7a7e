/** Loaded into the server that is soaked: says over IPC what cannot be seen from outside. It holds the process by nothing. */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
const RESOLUTION_MS = 10
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()

process.on('message', (order) => {
  if (order === 'collect') for (let times = 0; times < 3; times += 1) collect()
  const { heapUsed, external } = process.memoryUsage()
  const ofDelay = (ns) => Math.max(0, ns / 1e6 - RESOLUTION_MS)
  process.send?.({
    heapMiB: (heapUsed + external) / 2 ** 20,
    delayP99Ms: ofDelay(delay.percentile(99)),
    delayMostMs: ofDelay(delay.max),
  })
  delay.reset()
})
process.channel?.unref()
