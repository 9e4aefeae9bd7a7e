/**
 * Wrong changes that no test noticed when they were first made, and that one must notice: each is made alone, and its
 * tests are run. A change whose text is not found, or found twice, is a failure: move it along with the code.
 *
 *     npm run survivors [-- PART_OF_A_TITLE...]
 */

import { createCopy } from './copy.ts'
import { SURVIVORS } from './patches.ts'

const asked = process.argv.slice(2)
const patches = SURVIVORS.filter(({ wrong }) => asked.length === 0 || asked.some((part) => wrong.includes(part)))
using copy = createCopy()
const failures: string[] = []

const green = await copy.test([...new Set(patches.flatMap(({ tests }) => tests))])
if (green.noticed) failures.push(`the tests fail without a change: ${green.by}`)

for (const { wrong, file, find, replace, tests } of green.noticed ? [] : patches) {
  const parts = copy.text(file).split(find)
  const outcome = parts.length === 2 ? await copy.changed(file, parts.join(replace), () => copy.test(tests)) : undefined
  const said = outcome === undefined ? `its text is there ${parts.length - 1} times` : outcome.noticed ? 'red' : 'GREEN'
  if (said !== 'red') failures.push(`${wrong}: ${said}`)
  console.log(`${said.padEnd(6)} ${file}  ${wrong}${outcome?.noticed ? `\n       by ${outcome.by}` : ''}`)
}

console.log(`${patches.length} wrong changes, ${failures.length} failures`)
for (const line of failures) console.error(line)
process.exitCode = failures.length === 0 && patches.length > 0 ? 0 : 1
