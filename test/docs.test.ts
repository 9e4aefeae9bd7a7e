/** What papers and comments point to is there: headings that are cited, and files and headings that are linked. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'

const ROOT = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const filesOf = (folder: string, ending: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))

const PAPERS = [...readdirSync(ROOT).filter((name) => name.endsWith('.md')), ...filesOf('docs', '.md')]
const SOURCES = [...filesOf('src', '.ts'), ...filesOf('test', '.ts')]

function headingsOf(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading)
}

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

/** As `docs/wire.md, "Errors", "Methods" and "Claims"`, which may go on in the next line of its comment. */
function citationsOf(path: string): [paper: string, heading: string][] {
  const text = read(path).replace(/\n\s*(?:\*|\/\/) /g, ' ')
  return [...text.matchAll(/(docs\/[\w-]+\.md), ("[^"\n]+"(?:(?:,| and) "[^"\n]+")*)/g)].flatMap(
    ([, paper = '', headings = '']) =>
      [...headings.matchAll(/"([^"]+)"/g)].map(([, heading = '']): [string, string] => [paper, heading]),
  )
}

test('each heading that a comment cites is in its paper', (t) => {
  const cited = SOURCES.filter((path) => path !== 'test/docs.test.ts').flatMap((path) =>
    citationsOf(path).map(([paper, heading]) => ({ path, paper, heading })),
  )
  t.true(cited.length > 20)
  t.deepEqual(
    cited.filter(({ paper, heading }) => !existsSync(join(ROOT, paper)) || !headingsOf(paper).includes(heading)),
    [],
  )
})

test('each link of the papers leads to a file and a heading that are there', (t) => {
  const links = PAPERS.flatMap((path) =>
    [...read(path).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].map(([, file = '', anchor]) => ({
      path,
      target: file === '' ? path : join(dirname(path), file),
      anchor,
    })),
  )
  t.true(links.length > 20)
  const isBroken = ({ target, anchor }: (typeof links)[number]) =>
    !existsSync(join(ROOT, target)) || (anchor !== undefined && !headingsOf(target).map(anchorOf).includes(anchor))
  t.deepEqual(links.filter(isBroken), [])
})
