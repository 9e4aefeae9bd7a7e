import { chmodSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { createWatchedFile } from '../../src/core/watched-file.ts'
import { createClock, HOUR, SECOND } from '../clock.ts'

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sidemint-watched-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('a file that appears, is written, replaced, closed or removed has another version each time', async (t) => {
  const path = join(directory(t), 'file')
  const { now, advance } = createClock()
  const watched = createWatchedFile(path, now)
  let before = watched.version()
  const absent = before
  for (const [title, change] of [
    ['it appears', () => writeFileSync(path, '{}')],
    ['it is written', () => writeFileSync(path, '{"type":1}')],
    [
      'a file of the same size and times takes its name',
      () => {
        const { atime, mtime } = statSync(path)
        writeFileSync(`${path}.new`, '{"type":2}')
        utimesSync(`${path}.new`, atime, mtime)
        renameSync(`${path}.new`, path)
      },
    ],
    [
      'it is written and its time set back',
      () => {
        const { atime, mtime } = statSync(path)
        writeFileSync(path, '{"type":3}')
        utimesSync(path, atime, mtime)
      },
    ],
    ['its mode changes', () => chmodSync(path, 0o600)],
    ['it is removed', () => rmSync(path)],
  ] as const) {
    await sleep(5)
    change()
    t.is(watched.version(), before, `${title}: not looked at within the second`)
    advance(1 * SECOND)
    t.not(watched.version(), before, title)
    before = watched.version()
  }
  t.is(watched.version(), absent)
})

test('a file that nobody touches keeps its version, also when it is read', (t) => {
  const path = join(directory(t), 'file')
  writeFileSync(path, 'text')
  const { now, advance } = createClock()
  const watched = createWatchedFile(path, now)
  const before = watched.version()
  for (let look = 0; look < 3; look += 1) {
    advance(1 * SECOND)
    t.is(watched.version(), before)
  }
})

test('a clock that is set back does not stop the looking', (t) => {
  const path = join(directory(t), 'file')
  const { now, advance } = createClock()
  const watched = createWatchedFile(path, now)
  const before = watched.version()
  writeFileSync(path, 'text')
  advance(-2 * HOUR)
  t.not(watched.version(), before)
})

test('several files count as one', (t) => {
  const [one, other] = [join(directory(t), 'one'), join(directory(t), 'other')]
  const { now, advance } = createClock()
  const watched = createWatchedFile([one, other], now)
  const before = watched.version()
  writeFileSync(other, 'text')
  advance(1 * SECOND)
  t.not(watched.version(), before)
})

test('a link that is turned to another file of the same size and times, as Kubernetes does, has another version', (t) => {
  const path = join(directory(t), 'link')
  const files = ['one', 'other'].map((name) => `${path}.${name}`)
  const stamps = () => files.map((file) => statSync(file, { bigint: true }).ctimeNs)
  // The kernel's clock moves every few milliseconds, so two files made at once have the same times.
  for (let attempt = 0; attempt < 500; attempt += 1) {
    for (const file of files) {
      rmSync(file, { force: true })
      writeFileSync(file, 'text')
      utimesSync(file, 1, 1)
    }
    if (new Set(stamps()).size === 1) break
  }
  const { now, advance } = createClock()
  symlinkSync(String(files[0]), path)
  const watched = createWatchedFile(path, now)
  const before = watched.version()
  symlinkSync(String(files[1]), `${path}.new`)
  renameSync(`${path}.new`, path)
  advance(1 * SECOND)
  t.not(watched.version(), before)
})
