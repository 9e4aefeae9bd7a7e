/** Runs of a simulation: one seed is one run, cut into worlds of their own so that a failing one is short. */

import { createRandom } from '../random.ts'
import { Violation } from './judge.ts'
import { createSteps, describeStep, type Step } from './steps.ts'
import { createWorld } from './world.ts'

/** Steps of one world. */
const WORLD = 500

export interface Failure {
  seed: number
  /** Of the whole run, from one on. */
  step: number
  violation: Violation
  /** The fewest steps that were found to break the same. */
  trace: readonly Step[]
}

/** What a world breaks, and with which of its steps, from one on; one more than all are the end. */
async function breaks(steps: readonly Step[]): Promise<{ at: number; violation: Violation } | undefined> {
  const world = await createWorld()
  let at = 0
  let closed = false
  try {
    for (const step of steps) {
      at += 1
      await world.do(step)
    }
    at += 1
    closed = true
    await world.close()
    return undefined
  } catch (thrown) {
    if (!closed) await world.close().catch(() => {})
    if (thrown instanceof Violation) return { at, violation: thrown }
    throw thrown
  }
}

/** Leaves out steps, many at once and then fewer, as long as the rest still breaks the same. */
async function shorten(steps: readonly Step[], { invariant }: Violation): Promise<readonly Step[]> {
  let kept = steps
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < kept.length; ) {
      const fewer = kept.toSpliced(from, size)
      const found = await breaks(fewer)
      if (found?.violation.invariant === invariant) kept = fewer.slice(0, found.at)
      else from += size
    }
  }
  return kept
}

/** The first break of the run, by the step from one on, and the steps of its world up to there. */
export async function firstBreak(
  seed: number,
  count: number,
): Promise<{ step: number; violation: Violation; steps: readonly Step[] } | undefined> {
  const next = createSteps(createRandom(seed))
  for (let done = 0; done < count; done += WORLD) {
    const steps = Array.from({ length: Math.min(WORLD, count - done) }, next)
    const found = await breaks(steps)
    if (found === undefined) continue
    const { at, violation } = found
    return { step: done + Math.min(at, steps.length), violation, steps: steps.slice(0, at) }
  }
  return undefined
}

/** Undefined: every invariant held. */
export async function simulate(seed: number, count: number): Promise<Failure | undefined> {
  const found = await firstBreak(seed, count)
  if (found === undefined) return undefined
  const trace = await shorten(found.steps, found.violation)
  // Said of the short run: that is the one that is printed.
  const said = (await breaks(trace))?.violation ?? found.violation
  return { seed, step: found.step, violation: said, trace }
}

/** For people. */
export function describeFailure({ seed, step, violation, trace }: Failure): string {
  const lines = trace.map((one, at) => `  ${at + 1}. ${describeStep(one)}`)
  return [`seed ${seed}, step ${step}: ${violation.message}`, `the shortest way there:`, ...lines].join('\n')
}
