/** Many test files in one process: starting one for each costs more than what most of them do. */

import { globSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import type { TestFn } from 'ava'

/**
 * The processes, each with its folders of `test/`, in the order in which they are started: those that take longest come
 * first. They are few, since a process runs what it has compiled for one test faster for the next; with fewer still, one
 * of them would run when all others are done. A file belongs to the first one that names a folder above it, or to `top`.
 * A `*.alone.test.ts` has its own process.
 */
export const TOGETHER = {
  top: [],
  mint: ['mint'],
  ground: [
    '.',
    'config',
    'core',
    'env',
    'gate',
    'http',
    'identity',
    'issuer',
    'metadata',
    'mutate',
    'observe',
    'simulate',
  ],
  /** In an empty working directory, where no settings and no stack lie. */
  doctor: ['doctor'],
} as const satisfies Record<string, readonly string[]>

export type Together = keyof typeof TOGETHER

/** How many tests of a process run at once. More would only wait longer for each other, past their bounds. */
const TURNS = 4

/** Which process runs a test file; undefined: one of its own. */
export function processOf(file: string): string | undefined {
  if (!file.endsWith('.test.ts') || file.endsWith('.alone.test.ts')) return undefined
  const folder = `${dirname(file).replaceAll(sep, '/')}/`
  return Object.entries(TOGETHER).find(([, rooms]) => rooms.some((name) => folder.startsWith(`${name}/`)))?.[0] ?? 'top'
}

/** The rank of a file among those that `npm test` starts: those of `test/together` come before every other. */
export function startOrder(file: string): number {
  const names = Object.keys(TOGETHER)
  const rank = names.indexOf(file.replace(/\.ts$/, ''))
  return rank < 0 ? names.length : rank
}

export const findFiles = () => globSync('**/*.test.ts', { cwd: import.meta.dirname })

export const filesOf = (process: Together, all = findFiles()) =>
  all.filter((file) => processOf(file) === process).sort()

/** Declares the tests of every file of a process. */
export function runTogether(test: TestFn, process: Together) {
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
