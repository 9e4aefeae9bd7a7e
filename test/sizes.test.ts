/** What is read at a glance: how long a file and a function of src may be. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
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

const texts = new Map(
  [...readImports(join(ROOT, 'src')).keys()].map((file) => [file, readFileSync(join(ROOT, 'src', file), 'utf8')]),
)
const linesOf = (text: string) => text.split('\n').length - 1
/** No other can hold a function that is too long. */
const files = [...texts].flatMap(([file, text]) => (linesOf(text) > FUNCTION_LINES ? [file] : []))
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

/** Each function of a file with more than so many lines, by its first line. */
function functionsOf(source: SourceFile, most: number): [title: string, lines: number][] {
  const found: [string, number][] = []
  const visit = (node: Node): void => {
    const { text } = source
    // With what stands before it, such as a docstring: what is short then has nothing in it that is long.
    if (linesOf(text.slice(node.pos, node.end)) < most) return
    const own = text.slice(node.getStart(source), node.end)
    if (isFunctionLikeDeclaration(node) && linesOf(own) >= most)
      found.push([own.split('\n', 1)[0] ?? '', linesOf(own) + 1])
    node.forEachChild(visit)
  }
  visit(source)
  return found
}

test('every long file of src is read, and its functions found', (t) => {
  t.deepEqual([...sources.keys()], files)
  t.true([...sources.values()].flatMap((source) => functionsOf(source, 10)).length > files.length)
})

test(`no file of src has more than ${FILE_LINES} lines`, (t) => {
  const long = [...texts].filter(([file, text]) => !LONG.includes(file) && linesOf(text) > FILE_LINES)
  t.deepEqual(
    long.map(([file]) => file),
    [],
  )
})

test(`no function of src has more than ${FUNCTION_LINES} lines`, (t) => {
  const long = [...sources].flatMap(([file, source]) =>
    functionsOf(source, FUNCTION_LINES).map(([title, count]) => `${count} ${file}: ${title}`),
  )
  t.deepEqual(long.sort(), [])
})
