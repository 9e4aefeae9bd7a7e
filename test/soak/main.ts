/**
 * Runs the server as it ships under a bounded load for a while, and says what grew, what was wrong and how slow it was.
 *
 *     npm run soak [-- --minutes 60] [--per-second 200] [--seed 1]
 */

import { parseArgs } from 'node:util'
import { soak } from './soak.ts'
import { BUSY_MS, findFaults, percentile } from './verdict.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    'per-second': { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
    cli: { type: 'string', default: 'dist/cli.js' },
  },
})
const [minutes, perSecond, seed] = [Number(values.minutes), Number(values['per-second']), Number(values.seed)]
if (!(minutes > 0) || !(perSecond > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run soak [-- --minutes 60] [--per-second 200] [--seed 1]')
  process.exit(2)
}
const soaked = await soak({ cli: values.cli, seconds: minutes * 60, perSecond, seed, say: console.log })
const { done, begun, leftOut, checked, tooLate, tookMs, machineLateMs, delayP99Ms, delayMostMs, mostDescriptors } =
  soaked
for (const [name, count] of Object.entries(done)) console.log(`${String(count).padStart(8)} ${name}`)
const rate = `${(begun / (minutes * 60)).toFixed(0)} a second of the ${perSecond} that were asked for`
console.log(`after the burst ${begun} things were begun, ${rate}; ${leftOut} were left out`)
const at = (share: number) => `${percentile(tookMs, share).toFixed(1)} ms`
console.log(`${checked} tokens checked; a known audience's: half within ${at(0.5)}, 99 of 100 within ${at(0.99)}`)
console.log(`the clients' own timers were late by ${machineLateMs.toFixed(1)} ms in one of a hundred`)
if (machineLateMs > BUSY_MS)
  console.log(`the machine was too busy to say how slow the server was, and its Google too late for ${tooLate} answers`)
const delay = `half of the looks within ${percentile(delayP99Ms, 0.5).toFixed(1)} ms, at most ${delayMostMs.toFixed(1)} ms`
console.log(`the event loop was late in one of a hundred: ${delay}`)
console.log(`under load at most ${mostDescriptors} descriptors`)
const faults = findFaults(soaked)
for (const fault of faults) console.error(fault)
console.log(faults.length === 0 ? 'nothing grew, and nothing was wrong' : `${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1
