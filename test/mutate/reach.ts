/** Which tests can notice a change: those that run the changed file, by what they import. */

import { dirname } from 'node:path'
import { importsOf, readSources } from '../imports.ts'

/** Answers the test files that reach a file of src: those of its room first, the nearest first. Paths are from the root of the repository. */
export function createReach(root: string): (file: string) => string[] {
  const importers = new Map<string, string[]>()
  const link = (file: string, importer: string) => importers.set(file, [...(importers.get(file) ?? []), importer])
  for (const [importer, imports] of importsOf(readSources(root))) {
    for (const { name, file, typeOnly } of imports) {
      if (file !== undefined && !typeOnly) link(file, importer)
      // What a test starts as a process is the command line.
      if (name === 'node:child_process' && importer.startsWith('test/')) link('src/cli.ts', importer)
    }
  }
  return (changed) => {
    const reached = new Set([changed])
    for (const file of reached) for (const importer of importers.get(file) ?? []) reached.add(importer)
    const room = dirname(changed).replace(/^src/, 'test')
    const tests = [...reached].filter((file) => file.endsWith('.test.ts'))
    return tests.sort((a, b) => Number(dirname(b) === room) - Number(dirname(a) === room))
  }
}
