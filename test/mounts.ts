/** Commands in a mount namespace of their own, in which a test mounts what it likes. */

import { execFileSync } from 'node:child_process'
import test, { type Implementation } from 'ava'

/** Namespaces are made by root. */
const AS_ROOT = process.getuid?.() === 0 ? [] : ['sudo', '--non-interactive']

/** What the script printed; its arguments are `$0`, `$1` and so on. Throws where it fails. */
export function inNamespace(script: string, ...argv: string[]): string {
  const [program = '', ...more] = [...AS_ROOT, 'unshare', '--mount', 'sh', '-c', script, ...argv]
  return execFileSync(program, more, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

function canMount(): boolean {
  try {
    inNamespace('mount -t tmpfs none /mnt')
    return true
  } catch {
    return false
  }
}

/** Where nothing may be mounted it is skipped, and in CI it fails. */
export function testMounted(title: string, body: Implementation<[]>): void {
  if (canMount()) test.serial(title, body)
  else if (process.env.CI === 'true') test(title, (t) => t.fail('CI may not mount'))
  else test.skip(`${title} (skipped: nothing may be mounted here)`, body)
}
