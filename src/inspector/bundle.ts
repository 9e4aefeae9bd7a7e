/**
 * The page as a browser takes it, made from `src/page`. The build puts its result in the place of this file, so that what
 * is shipped holds the page and no bundler; in a clone it runs when the page is first asked for.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Page {
  html: string
  script: string
  style: string
}

const SOURCES = join(import.meta.dirname, '..', 'page')

export async function bundlePage(): Promise<Page> {
  return (await bundle()).page
}

/** `inputs`: the files that went into it, by their paths from the working directory. */
export async function bundle(): Promise<{ page: Page; inputs: string[] }> {
  const { build } = await import('esbuild')
  const { outputFiles, metafile } = await build({
    entryPoints: { page: join(SOURCES, 'main.tsx'), style: join(SOURCES, 'page.css') },
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['chrome110', 'firefox115', 'safari16.4'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    outdir: 'page',
    metafile: true,
    write: false,
    tsconfigRaw: {},
  })
  const textOf = (end: string) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? ''
  const html = readFileSync(join(SOURCES, 'index.html'), 'utf8')
  return { page: { html, script: textOf('.js'), style: textOf('.css') }, inputs: Object.keys(metafile.inputs) }
}
