/** Client suites need other languages: where one is missing its tests are skipped with the reason, in CI they fail. */

import { execFileSync } from 'node:child_process'
import test, { type Implementation } from 'ava'

/** Declares a test that needs these commands. They run one after another: two compilers at once starve each other. */
export function testWith(commands: readonly string[], title: string, body: Implementation<[]>): void {
  const missing = commands.filter((command) => !isThere(command))
  if (missing.length === 0) test.serial(title, body)
  else if (process.env.CI === 'true') test(title, (t) => t.fail(`CI lacks ${missing.join(', ')}`))
  else test.skip(`${title} (skipped: no ${missing.join(', ')} here)`, body)
}

function isThere(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
