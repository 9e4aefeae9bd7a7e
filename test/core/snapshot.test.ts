import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readFileOrPipe, takeSnapshot, Unreadable } from '../../src/core/snapshot.ts'

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sidemint-snapshot-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('a snapshot reads each file once, and two are equal only in what both have seen', (t) => {
  const path = join(directory(t), 'file')
  writeFileSync(path, 'one')
  const [before, unseen] = [takeSnapshot(), takeSnapshot()]
  before.see([path])
  writeFileSync(path, 'two')
  const after = takeSnapshot()
  t.is(before.read(path).toString(), 'one')
  t.is(after.read(path).toString(), 'two')
  t.false(before.equals(after, [path]))
  t.false(after.equals(unseen, [path]), 'it was not looked at')
  unseen.see([path])
  t.true(after.equals(unseen, [path]))
  t.true(before.equals(after, []))
})

test('a file that cannot be read is the same while the reason is', (t) => {
  const folder = directory(t)
  const path = join(folder, 'file')
  const gone = takeSnapshot()
  t.throws(() => gone.read(path), { instanceOf: Unreadable, message: 'ENOENT' })
  execFileSync('mkfifo', [path])
  const pipe = takeSnapshot()
  t.throws(() => pipe.read(path), { message: 'it is not a file that can be read again' })
  t.throws(() => pipe.read(folder), { message: 'it is not a file that can be read again' })
  t.throws(() => readFileOrPipe(folder), { message: 'it is neither a file nor a pipe' })
  t.false(gone.equals(pipe, [path]))
  const again = takeSnapshot()
  again.see([path])
  t.true(pipe.equals(again, [path]))
  rmSync(path)
  writeFileSync(path, Buffer.alloc(4_000_001))
  t.throws(() => takeSnapshot().read(path), { message: 'it has 4000001 bytes, more than 4000000' })
})
