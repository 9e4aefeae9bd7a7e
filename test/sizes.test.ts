/** What is read at a glance: how long a file and a function of src may be. */

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
  const api = new API({ cwd: ROOT })
  const openProjects = [join(ROOT, 'tsconfig.json'), join(ROOT, 'src', 'page', 'tsconfig.json')]
  const projects = api.updateSnapshot({ openProjects }).getProjects()
  sources = new Map(
    files.flatMap((file) => {
      const path = join(ROOT, 'src', file)
      const source = projects.map(({ program }) => program.getSourceFile(path)).find((found) => found !== undefined)
      return source === undefined ? [] : [[file, source] as const]
    }),
  )
  api.close()
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
