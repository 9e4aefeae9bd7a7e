/** What stands around the code and cannot be run here: the files and scripts that it names are there. */

import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'

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
