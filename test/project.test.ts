/** What stands around the code and cannot be run here: the files and scripts that it names are there. */

import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { COMPILE_CACHE } from './compile-cache.ts'

const ROOT = new URL('..', import.meta.url).pathname
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

test('the workflows, Dependabot and the issue forms are YAML, and name scripts and files that are there', (t) => {
  const paths = globSync('.github/**/*.yml', { cwd: ROOT })
  t.true(paths.length >= 6)
  const { scripts } = JSON.parse(read('package.json'))
  for (const path of paths) {
    t.notThrows(() => parse(read(path)), path)
    for (const [, name = ''] of read(path).matchAll(/npm run ([\w:]+)/g)) t.true(Object.hasOwn(scripts, name), name)
    for (const [name] of read(path).matchAll(/\btest\/[\w/.]+\.ts\b/g)) t.true(existsSync(join(ROOT, name)), name)
  }
})

test('the suites that .ci/run lists for the workflow are scripts', (t) => {
  const suites = [...read('.ci/run').matchAll(/^suite [a-z-]+ npm run ([\w:]+)/gm)]
  t.true(suites.length >= 6)
  const { scripts } = JSON.parse(read('package.json'))
  for (const [, name = ''] of suites) t.true(Object.hasOwn(scripts, name), name)
})

test('each link of llms.txt leads to a file', (t) => {
  const links = [...read('llms.txt').matchAll(/\]\(([^)]+)\)/g)]
  t.true(links.length > 10)
  for (const [, path = ''] of links) t.true(existsSync(join(ROOT, path)), path)
})

test("a clone's bin/sidemint runs from any folder and by a link, and before npm ci it says what to type", (t) => {
  const clone = mkdtempSync(join(tmpdir(), 'sidemint a clone-'))
  t.teardown(() => rmSync(clone, { recursive: true }))
  cpSync(join(ROOT, 'bin'), join(clone, 'bin'), { recursive: true })
  const { status, stderr } = spawnSync(join(clone, 'bin/sidemint'), { encoding: 'utf8' })
  t.is(status, 1)
  t.regex(stderr, /Fix: npm ci in .*sidemint a clone-/)
  mkdirSync(join(clone, 'dist'))
  writeFileSync(join(clone, 'dist/cli.js'), 'console.log(process.argv.slice(2), process.cwd())')
  symlinkSync(join(clone, 'bin/sidemint'), join(clone, 'linked'))
  // Where the tests keep theirs is named from the folder of the project: it would be made in this one.
  const env = { ...process.env, ...COMPILE_CACHE }
  for (const path of ['bin/sidemint', 'linked'])
    t.is(execFileSync(join(clone, path), ['a b', 'c'], { cwd: '/', env, encoding: 'utf8' }), "[ 'a b', 'c' ] /\n")
})

test("a clone's bin/sidemint says that its build is older than what is checked out", (t) => {
  const clone = mkdtempSync(join(tmpdir(), 'sidemint a clone-'))
  t.teardown(() => rmSync(clone, { recursive: true }))
  cpSync(join(ROOT, 'bin'), join(clone, 'bin'), { recursive: true })
  for (const folder of ['dist', 'src/core', 'node_modules/.bin']) mkdirSync(join(clone, folder), { recursive: true })
  writeFileSync(join(clone, 'node_modules/.bin/node'), '#!/bin/sh\necho "ran $1"\n', { mode: 0o755 })
  const sources = ['src/core/a.ts', 'build.ts', 'package.json', 'package-lock.json']
  for (const path of ['dist/cli.js', ...sources]) writeFileSync(join(clone, path), '{}')
  const date = (hour: number, ...paths: string[]) => {
    for (const path of paths) utimesSync(join(clone, path), hour * 3600, hour * 3600)
  }
  const saidOf = () => spawnSync(join(clone, 'bin/sidemint'), { encoding: 'utf8' })
  date(1, ...sources, 'src', 'src/core')
  date(2, 'dist/cli.js')
  t.like(saidOf(), { status: 0, stdout: `ran ${join(clone, 'dist/cli.js')}\n`, stderr: '' })
  for (const path of [...sources, 'src/core']) {
    date(3, path)
    const { status, stderr } = saidOf()
    t.is(status, 0, 'it runs all the same')
    t.regex(stderr, /^sidemint: .* older than its sources\. Fix: npm ci in .*sidemint a clone-\S+\n$/, path)
    date(1, path)
  }
})
