import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { filesOf, findFiles, processOf, TOGETHER, type Together } from './together.ts'

const all = findFiles()
const together = (Object.keys(TOGETHER) as Together[]).flatMap((process) => filesOf(process, all))

test('npm test runs every test file once', (t) => {
  const entries = globSync('together/*.ts', { cwd: import.meta.dirname })
  t.deepEqual(
    entries.sort(),
    Object.keys(TOGETHER)
      .map((process) => `together/${process}.ts`)
      .sort(),
  )
  t.deepEqual(together.toSorted(), all.filter((file) => !file.endsWith('.alone.test.ts')).sort())
})

/** Its variables, its working directory and its clock: what a process has once. */
const CHANGES =
  /\bapplyEnv\(|\bprocess\.env\.\w+ = |\bdelete process\.env|\bprocess\.chdir\(|workInEmptyDirectory\(|\bmock\./

test('a file that changes its process for more than a serial test runs alone', (t) => {
  // Doctor reads the working directory, so its process works in an empty one.
  for (const file of together.filter((file) => processOf(file) !== 'doctor')) {
    const statements = readFileSync(join(import.meta.dirname, file), 'utf8').split(/^(?=\S)/m)
    const changing = statements.filter((statement) => CHANGES.test(statement) && !statement.startsWith('test.serial('))
    t.deepEqual(changing, [], file)
  }
})
