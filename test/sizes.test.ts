/** What is read at a glance: how long a file and a function of src may be. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { isFunctionLikeDeclaration, type Node, type SourceFile } from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'
import { readImports } from './imports.ts'

const ROOT = join(import.meta.dirname, '..')
const FILE_LINES = 250
const FUNCTION_LINES = 50
/** A catalogue: one entry after the other. */
const LONG = ['core/errors.ts']

const files = [...readImports(join(ROOT, 'src')).keys()]
let sources: Map<string, SourceFile>

test.before(() => {
  const folder = mkdtempSync(join(tmpdir(), 'sidemint-sizes-'))
  const project = join(folder, 'tsconfig.json')
  const paths = files.map((file) => join(ROOT, 'src', file))
  // These alone: what they import, and the language's own types, would take it far longer.
  const compilerOptions = { noResolve: true, noLib: true, types: [], jsx: 'preserve', allowImportingTsExtensions: true }
  writeFileSync(project, JSON.stringify({ compilerOptions, files: paths }))
  const api = new API({ cwd: ROOT })
  const program = api.updateSnapshot({ openProjects: [project] }).getProjects()[0]?.program
  sources = new Map(
    files.flatMap((file, index) => {
      const source = program?.getSourceFile(paths[index] as string)
      return source === undefined ? [] : [[file, source] as const]
    }),
  )
  api.close()
  rmSync(folder, { recursive: true })
})

function lines(source: SourceFile, node: Node): number {
  return source.text.slice(node.getStart(source), node.getEnd()).trim().split('\n').length
}

/** Each function of a file, by its first line. */
function functionsOf(source: SourceFile): [title: string, lines: number][] {
  const found: [string, number][] = []
  const visit = (node: Node): void => {
    if (isFunctionLikeDeclaration(node)) {
      const [title = ''] = source.text.slice(node.getStart(source)).split('\n', 1)
      found.push([title, lines(source, node)])
    }
    node.forEachChild(visit)
  }
  visit(source)
  return found
}

test('every file of src is read, and its functions found', (t) => {
  t.deepEqual([...sources.keys()], files)
  t.true([...sources.values()].flatMap(functionsOf).length > 3 * files.length)
})

test(`no file of src has more than ${FILE_LINES} lines`, (t) => {
  const long = [...sources].filter(
    ([file, { text }]) => !LONG.includes(file) && text.split('\n').length - 1 > FILE_LINES,
  )
  t.deepEqual(
    long.map(([file]) => file),
    [],
  )
})

test(`no function of src has more than ${FUNCTION_LINES} lines`, (t) => {
  const long = [...sources].flatMap(([file, source]) =>
    functionsOf(source).flatMap(([title, count]) => (count > FUNCTION_LINES ? [`${count} ${file}: ${title}`] : [])),
  )
  t.deepEqual(long.sort(), [])
})
