/**
 * Simulates a server over many steps, all of them chosen by the seed. A run that breaks an invariant prints the shortest
 * steps to it.
 *
 *     npm run simulate -- --seed N [--steps 1000000] [--broken TITLE]
 */

import { parseArgs } from 'node:util'
import { BROKEN, breakSource } from './broken.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, steps: { type: 'string', default: '1000000' }, broken: { type: 'string' } },
})
const seed = Number(values.seed ?? Number.NaN)
const steps = Number(values.steps)
const broken = BROKEN.find(({ wrong }) => wrong === values.broken)
if (!Number.isInteger(seed) || !(steps >= 1) || (values.broken !== undefined && broken === undefined)) {
  console.error('usage: npm run simulate -- --seed N [--steps 1000000] [--broken TITLE]')
  process.exit(2)
}
if (broken !== undefined) breakSource(broken)
const { describeFailure, simulate } = await import('./run.ts')
const startedAt = performance.now()
const failure = await simulate(seed, steps)
const seconds = Math.round((performance.now() - startedAt) / 1_000)
if (failure === undefined) console.log(`${steps} steps of the seed ${seed}: every invariant held (${seconds} s)`)
else {
  console.error(describeFailure(failure))
  process.exitCode = 1
}
