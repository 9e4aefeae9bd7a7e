/** Many test files in one process: starting one for each costs more than what most of them do. */

import { globSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import test from 'ava'

/** The processes, each with the files of `test/` that it runs, but for those named `*.alone.test.ts`. */
export const TOGETHER = {
  ground: ['*.test.ts', '{core,env,http,issuer,mutate,observe}/**/*.test.ts'],
  gate: ['gate/**/*.test.ts'],
  middle: ['{config,identity,metadata,mint}/**/*.test.ts'],
  top: ['{clients,commands,doctor}/**/*.test.ts'],
} as const

/** How many tests of a process run at once. More would only wait longer for each other, past their bounds. */
const TURNS = 4

export const filesOf = (process: keyof typeof TOGETHER) =>
  globSync(TOGETHER[process], { cwd: import.meta.dirname })
    .filter((file) => !file.endsWith('.alone.test.ts'))
    .sort()

/** Declares the tests of every file of a process. */
export function runTogether(process: keyof typeof TOGETHER) {
  let free = TURNS
  const waiting: (() => void)[] = []
  test.beforeEach(async () => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
  })
  test.afterEach.always(() => {
    const next = waiting.shift()
    if (next === undefined) free++
    else next()
  })
  // Not import(): ava starts once the stack is empty, and takes no further test. So no file of these awaits at its top.
  const require = createRequire(import.meta.url)
  for (const file of filesOf(process)) {
    try {
      require(join(import.meta.dirname, file))
    } catch (error) {
      test(`${file} is loaded`, () => {
        throw error
      })
    }
  }
}
