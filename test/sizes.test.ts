/** What is read at a glance: how long a file and a function of src may be. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { isFunctionLikeDeclaration, type Node, type SourceFile } from 'typescript/unstable/ast'
import { API } from 'typescript/unstable/sync'
import { SOURCES } from './imports.ts'

const ROOT = join(import.meta.dirname, '..')
const FILE_LINES = 250
const FUNCTION_LINES = 50
/** Functions from here on are found, so that there are some. */
const FOUND_LINES = 25
/** A catalogue: one entry after the other. */
const LONG = ['core/errors.ts']

const linesOf = (text: string) => text.split('\n').length - 1
/** No other can hold a function that is too long. */
const files = [...SOURCES].flatMap(([file, text]) => (linesOf(text) > FUNCTION_LINES ? [file] : []))
let read: string[]
let functions: Found[]

interface Found {
  file: string
  /** Its first line. */
  title: string
  lines: number
}

test.before(() => {
  const folder = mkdtempSync(join(tmpdir(), 'sidemint-sizes-'))
  const project = join(folder, 'tsconfig.json')
  const paths = files.map((file) => join(ROOT, 'src', file))
  // These alone: what they import, and the language's own types, would take it far longer.
  const compilerOptions = { noResolve: true, noLib: true, types: [], jsx: 'preserve', allowImportingTsExtensions: true }
  writeFileSync(project, JSON.stringify({ compilerOptions, files: paths }))
  const api = new API({ cwd: ROOT })
  const program = api.updateSnapshot({ openProjects: [project] }).getProjects()[0]?.program
  const sources = files.flatMap((file, index) => {
    const source = program?.getSourceFile(paths[index] as string)
    return source === undefined ? [] : [{ file, source }]
  })
  read = sources.map(({ file }) => file)
  functions = sources.flatMap(({ file, source }) => functionsOf(file, source))
  api.close()
  rmSync(folder, { recursive: true })
})

function functionsOf(file: string, source: SourceFile): Found[] {
  const found: Found[] = []
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const visit = (node: Node): void => {
    const last = lineAt(node.end)
    // With what stands before it, such as a docstring: what is short then has nothing in it that is long.
    if (last - lineAt(node.pos) + 1 < FOUND_LINES) return
    const start = node.getStart(source)
    const lines = last - lineAt(start) + 1
    if (isFunctionLikeDeclaration(node) && lines >= FOUND_LINES)
      found.push({ file, title: source.text.slice(start).split('\n', 1)[0] ?? '', lines })
    node.forEachChild(visit)
  }
  visit(source)
  return found
}

test('every long file of src is read, and its functions found', (t) => {
  t.deepEqual(read, files)
  t.true(functions.length > 50, String(functions.length))
})

test(`no file of src has more than ${FILE_LINES} lines`, (t) => {
  const long = [...SOURCES].filter(([file, text]) => !LONG.includes(file) && linesOf(text) > FILE_LINES)
  t.deepEqual(
    long.map(([file]) => file),
    [],
  )
})

test(`no function of src has more than ${FUNCTION_LINES} lines`, (t) => {
  const long = functions.filter(({ lines }) => lines > FUNCTION_LINES)
  t.deepEqual(long, [])
})
