/**
 * Wrong changes that no test noticed when they were first made, and that one must notice: each is made alone, and its
 * tests are run. A change whose text is not found, or found twice, is a failure: move it along with the code.
 *
 *     npm run survivors [-- PART_OF_A_TITLE...]
 */

import { createCopy } from './copy.ts'
import { type Patch, SURVIVORS } from './patches.ts'

const asked = process.argv.slice(2)
const patches = SURVIVORS.filter(({ wrong }) => asked.length === 0 || asked.some((part) => wrong.includes(part)))
using copy = createCopy()
const failures: string[] = []

/** A red test shows something only where it is green without the change. */
const unchanged = new Map<string, boolean>()
async function isGreen(tests: readonly string[]): Promise<boolean> {
  const key = tests.join(' ')
  const green = unchanged.get(key) ?? !(await copy.test(tests)).noticed
  unchanged.set(key, green)
  return green
}

async function outcomeOf({ file, find, replace, tests }: Patch): Promise<{ said: string; by?: string }> {
  const parts = copy.text(file).split(find)
  if (parts.length !== 2) return { said: `its text is there ${parts.length - 1} times` }
  const outcome = await copy.changed(file, parts.join(replace), () => copy.test(tests))
  if (!outcome.noticed) return { said: 'GREEN' }
  return { said: (await isGreen(tests)) ? 'red' : 'red without it too', by: outcome.by }
}

for (const patch of patches) {
  const { said, by } = await outcomeOf(patch)
  if (said !== 'red') failures.push(`${patch.wrong}: ${said}`)
  console.log(`${said.padEnd(6)} ${patch.file}  ${patch.wrong}${by === undefined ? '' : `\n       by ${by}`}`)
}

console.log(`${patches.length} wrong changes, ${failures.length} failures`)
for (const line of failures) console.error(line)
process.exitCode = failures.length === 0 && patches.length > 0 ? 0 : 1
