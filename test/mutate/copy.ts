/** A copy of the repository that is thrown away: a change is made there, type-checked and tested. */

import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { SourceFile } from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'
import { processOf } from '../together.ts'
import { createReach } from './reach.ts'

export const ROOT = join(import.meta.dirname, '..', '..')
const AVA = join(ROOT, 'node_modules', '.bin', 'ava')

/** A change that makes tests hang is noticed by them: ava ends this long after its last news. */
const SILENCE = '45s'
/** This bounds it all: a test that never leaves a loop ends by itself at no signal of ava's. */
const LIMIT_MS = 3 * 60_000
/** What is near the changed file is run first, since most changes are noticed there. */
const NEAR = 4

/** `by` is the first test that failed, `of` the files that were run with it. */
export type Outcome = { noticed: true; by: string; of: readonly string[] } | { noticed: false }

export interface Copy {
  /** The text of a file as it is without a change. */
  text(file: string): string
  parse(file: string): SourceFile
  /** Makes the change, runs `during` and takes the change back. */
  changed<T>(file: string, text: string, during: () => Promise<T>): Promise<T>
  /** The type checker's first error after a change of the file. */
  typeError(file: string): string | undefined
  /** The test files that reach a file of src, the nearest first. */
  testsOf(file: string): string[]
  /** Runs these test files until one test fails, those in front first. */
  test(tests: readonly string[]): Promise<Outcome>
  [Symbol.dispose](): void
}

export function createCopy(): Copy {
  const root = mkdtempSync(join(tmpdir(), 'sidemint-mutate-'))
  // Some tests run the sources as another user.
  chmodSync(root, 0o755)
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
  for (const file of listed.toString().split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    cpSync(join(ROOT, file), join(root, file))
  }
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  const testsOf = createReach(root)
  const api = new API({ cwd: root })
  api.updateSnapshot({ openProjects: [join(root, 'tsconfig.json')] })

  function program(...changed: string[]) {
    const paths = changed.map((file) => join(root, file))
    const [project] = api.updateSnapshot({ fileChanges: { changed: paths } }).getProjects()
    if (project === undefined) throw new Error('tsconfig.json is no project')
    return project.program
  }

  const text = (file: string) => readFileSync(join(root, file), 'utf8')
  return {
    text,
    testsOf,
    parse(file) {
      const source = program().getSourceFile(join(root, file))
      if (source === undefined) throw new Error(`${file} is not part of tsconfig.json`)
      return source
    },
    async changed(file, changed, during) {
      const before = text(file)
      writeFileSync(join(root, file), changed)
      try {
        return await during()
      } finally {
        writeFileSync(join(root, file), before)
        program(file)
      }
    },
    typeError(file) {
      return program(file).getSemanticDiagnostics()[0]?.text
    },
    async test(tests) {
      const near = await run(root, tests.slice(0, NEAR))
      return near.noticed ? near : run(root, [...new Set(tests.slice(NEAR).map(togetherWith))])
    },
    [Symbol.dispose]() {
      api.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** What runs a test file in `npm test`. */
function togetherWith(file: string): string {
  const process = processOf(file.replace(/^test\//, ''))
  return process === undefined ? file : `test/together/${process}.ts`
}

function run(root: string, tests: readonly string[]): Promise<Outcome> {
  if (tests.length === 0) return Promise.resolve({ noticed: false })
  const child = spawn(process.execPath, [AVA, '--tap', '--fail-fast', `--timeout=${SILENCE}`, ...tests], {
    cwd: root,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (data) => (output += data))
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      output += '\nnot ok 0 - no end in time\n'
      process.kill(-(child.pid ?? 0), 'SIGKILL')
    }, LIMIT_MS)
    child.once('close', (code) => {
      clearTimeout(timer)
      const [, by] = /^not ok \d+ - (.*)$/m.exec(output) ?? []
      resolve(
        code === 0
          ? { noticed: false }
          : { noticed: true, of: tests, by: by ?? output.trim().split('\n').at(-1) ?? '' },
      )
    })
  })
}
