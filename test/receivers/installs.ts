/** What the receivers are made of, fetched and built before the network is left. Kept in .cache, so only the first run waits. */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const HERE = import.meta.dirname
export const ROOT = join(HERE, '../..')
const CACHE = join(ROOT, '.cache/receivers')

const MANIFEST = /^(package(-lock)?\.json|requirements\.txt|pom\.xml)$/

/** Fetches what the manifest in a folder beside this file names into a folder of the cache, once for each of its versions. */
async function keep(name: string, fetch: (from: string, to: string) => Promise<unknown>): Promise<string> {
  const from = join(HERE, name)
  const to = join(CACHE, name)
  const mark = join(to, '.complete')
  const hash = createHash('sha256').update(`${process.version} ${to}`)
  for (const file of readdirSync(from)
    .filter((each) => MANIFEST.test(each))
    .sort())
    hash.update(readFileSync(join(from, file)))
  const wanted = hash.digest('hex')
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return to
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  await fetch(from, to)
  writeFileSync(mark, wanted)
  return to
}

export function installNode(name: 'node-9' | 'node-11'): Promise<string> {
  return keep(name, async (from, to) => {
    cpSync(from, to, { recursive: true })
    await run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: to })
  })
}

/** Returns the interpreter. */
export async function installPython(): Promise<string> {
  const folder = await keep('python', async (from, to) => {
    await run('python3', ['-m', 'venv', to])
    await run(join(to, 'bin/pip'), ['install', '--quiet', '--requirement', join(from, 'requirements.txt')])
  })
  return join(folder, 'bin/python')
}

/** Returns the class path. */
export async function installJava(): Promise<string> {
  const folder = await keep('java', (from, to) => {
    const local = `-Dmaven.repo.local=${join(CACHE, 'm2')}`
    const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${to}`]
    return run('mvn', ['--quiet', '--batch-mode', local, ...copy], { cwd: from })
  })
  return join(folder, '*')
}

/** Its modules are in Go's own cache. Returns the program. */
export async function buildGo(source: string, program: string): Promise<void> {
  await run('go', ['build', '-o', program, '.'], { cwd: source })
}

/** The program of a Go module at a version. */
export async function installGo(module: string, version: string): Promise<string> {
  const bin = join(CACHE, 'bin', version)
  const program = join(bin, module.split('/').findLast((part) => !/^v\d+$/.test(part)) ?? '')
  if (!existsSync(program))
    await run('go', ['install', `${module}@${version}`], { env: { ...process.env, GOBIN: bin } })
  return program
}
