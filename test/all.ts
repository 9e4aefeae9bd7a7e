/** `npm test`: every test and, beside them, `npm run check`. Fails where either does. Further arguments are ava's. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { COMPILE_CACHE } from './compile-cache.ts'

const root = join(import.meta.dirname, '..')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const env = {
  ...process.env,
  ...COMPILE_CACHE,
  PATH: [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter),
}

// All that it prints comes after the tests. The compiler is done before it would need the memory that it does not free.
const check = spawn(`(${scripts.check}) 2>&1`, {
  shell: true,
  cwd: root,
  env: { ...env, GOGC: 'off' },
  stdio: ['ignore', 'pipe', 'inherit'],
})
// It fills the time for which the tests wait, and takes them none.
if (check.pid !== undefined) setPriority(check.pid, constants.priority.PRIORITY_BELOW_NORMAL)
const checked = Promise.all([once(check, 'close'), text(check.stdout)])

const ava = join(root, 'node_modules', 'ava', 'entrypoints', 'cli.js')
const files = ['test/together/*.ts', 'test/**/*.alone.test.ts']
const tests = spawn(process.execPath, [ava, ...files, ...process.argv.slice(2)], { env, stdio: 'inherit' })
const [failed] = await once(tests, 'close')

const [[broken], said] = await checked
process.stdout.write(said)
process.exitCode = failed === 0 && broken === 0 ? 0 : 1
