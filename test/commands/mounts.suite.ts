/** `token --out` where the disk cannot be written to. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { inNamespace, testMounted } from '../mounts.ts'

const CLI = join(import.meta.dirname, '..', '..', 'src', 'cli.ts')
const directory = mkdtempSync(join(tmpdir(), 'sidemint-token-file-'))
test.after.always(() => rmSync(directory, { recursive: true, force: true }))

/** What the command says where `script` has mounted the directory, which it sees as `$0`; then what lies there. */
function said(script: string): string {
  const argv = ['token', '--audience=a', '--source=local', `--out=${join(directory, 'token')}`]
  const all = `${script}; "$@" 2>&1; echo "code $?"; ls -A "$0"; cat "$0/token"`
  return inNamespace(all, directory, process.execPath, CLI, ...argv)
}

const TMPFS = 'mount -t tmpfs -o size=16k none "$0" && printf old > "$0/token"'

testMounted(
  'on a disk that is full or read-only the old token stays, no half file is left, and the error says why',
  (t) => {
    t.regex(
      said(`${TMPFS} && (cat /dev/zero > "$0/other" 2>/dev/null || true)`),
      /TOKEN_FILE_UNUSABLE: [^\n]* no space left on device \(ENOSPC\)\. Fix: [^\n]*room\ncode 1\nother\ntoken\nold$/,
    )
    t.regex(
      said(`${TMPFS} && mount -o remount,ro "$0"`),
      /TOKEN_FILE_UNUSABLE: [^\n]* read-only file system \(EROFS\)\. Fix: [^\n]*\ncode 1\ntoken\nold$/,
    )
  },
)
