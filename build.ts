/**
 * Makes `dist/`, what is shipped: bundled as ES modules first, which esbuild can split at every lazy import, then
 * each piece written as CommonJS. CommonJS starts faster (measured: 28 ms against 40 for google-auth-library alone),
 * loads node:http without undici, and serves `import`, `require` and Jest from one build.
 */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin, transform } from 'esbuild'
import { settingsJsonSchema } from './src/config/json-schema.ts'
import { bundle } from './src/inspector/bundle.ts'

const OUT = 'dist'
const TARGET = 'node22.20'
/** Names stay, for stack traces: esbuild's keepNames sets each closure's name as it is made, twice a request's cost. */
const SMALL = { minifySyntax: true, minifyWhitespace: true }

/**
 * A CommonJS package behind a library's lazy import loses its named exports in the bundle (gaxios so loads its proxy
 * agent): such an import gets a module between, which names them.
 */
const LAZY_NAMES: Plugin = {
  name: 'the named exports of what libraries import lazily',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[^./]/ }, ({ kind, path, importer }) =>
      kind === 'dynamic-import' && importer.includes('node_modules') && !isBuiltin(path)
        ? { path, namespace: 'lazy', pluginData: importer }
        : undefined,
    )
    onLoad({ filter: /./, namespace: 'lazy' }, async ({ path, pluginData: importer }) => {
      const exported = Object.keys(await import(pathToFileURL(createRequire(importer).resolve(path)).href))
      const names = exported.filter((name) => /^\w+$/.test(name) && name !== 'default')
      const contents = `import * as all from '${path}'; export const { ${names.join(', ')} } = all; export default all.default`
      return { contents, resolveDir: dirname(importer) }
    })
  },
}

const { page, inputs: pageInputs } = await bundle()

/** What is shipped holds the page and not what makes it. */
const BUNDLED_PAGE: Plugin = {
  name: 'the page',
  setup({ onLoad }) {
    onLoad({ filter: /src[/\\]inspector[/\\]bundle\.ts$/ }, () => ({
      contents: `export const bundlePage = async () => (${JSON.stringify(page)})`,
    }))
  },
}

/** Packages without a file for it: where the text stands. koa-compose is by the authors of Koa, under Koa's terms. */
const LICENSED_ELSEWHERE: Record<string, string> = {
  'data-uri-to-buffer': 'node_modules/data-uri-to-buffer/README.md',
  'koa-compose': 'node_modules/koa/LICENSE',
}

rmSync(OUT, { recursive: true, force: true })

const { outputFiles, metafile } = await build({
  entryPoints: ['src/cli.ts', 'src/index.ts'],
  outdir: OUT,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: TARGET,
  ...SMALL,
  legalComments: 'none',
  entryNames: 'chunks/[name]',
  chunkNames: 'chunks/[hash]',
  metafile: true,
  write: false,
  plugins: [LAZY_NAMES, BUNDLED_PAGE],
  // Its ES module build imports node:http whole, and with it undici.
  alias: { '@koa/router': './node_modules/@koa/router/dist/index.js' },
  // Asked for only on a Node.js without web streams.
  external: ['web-streams-polyfill'],
})

// A CommonJS package behind a lazy import loses its named exports in the bundle: only our own files are imported lazily.
for (const [path, { imports }] of Object.entries(metafile.inputs)) {
  const lazy = imports.find((imported) => imported.kind === 'dynamic-import' && imported.path.includes('node_modules'))
  if (path.startsWith('src/') && lazy !== undefined) throw new Error(`${path} imports ${lazy.path} lazily`)
}

for (const { path, text } of outputFiles) {
  const { code } = await transform(text, {
    format: 'cjs',
    platform: 'node',
    target: TARGET,
    ...SMALL,
    supported: { 'dynamic-import': false },
  })
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, code)
}
writeDoors()
writeFileSync(join(OUT, 'package.json'), '{ "type": "commonjs" }\n')
const bundled = bundledPackages([...Object.keys(metafile.inputs), ...pageInputs])
writeFileSync(join(OUT, 'THIRD-PARTY.txt'), thirdPartyNotices(bundled))
writeFileSync(join(OUT, 'sbom.cdx.json'), billOfMaterials(bundled))
writeFileSync(join(OUT, 'sidemint.schema.json'), `${JSON.stringify(settingsJsonSchema(), null, 2)}\n`)
writeTypes()

/**
 * The entries, which an older Node.js can read too: it says which one is needed, where it would stop at syntax and
 * modules that it does not know. So they are ES5, and nothing is loaded before they have looked.
 */
function writeDoors(): void {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8'))
  const [, needed, major, minor] = /^>=((\d+)\.(\d+))$/.exec(engines.node) ?? []
  if (needed === undefined) throw new Error(`engines.node is ${engines.node}: it must be >=MAJOR.MINOR`)
  const look = `'use strict'
var version = process.versions.node.split('.')
var tooOld = version[0] < ${major} || (version[0] == ${major} && version[1] < ${minor})
var sentence = 'sidemint needs Node.js ${needed} or later, this is ' + version[0] + '.' + version[1]
`
  const command = `if (tooOld) {
  console.error(sentence)
  process.exitCode = 1
} else require('./chunks/cli.js')
`
  // Where nobody catches it, Node.js prints the stack, which says nothing to somebody whose Node.js is too old.
  const library = `if (tooOld) {
  var error = new Error(sentence)
  error.stack = 'Error: ' + sentence
  throw error
}
module.exports = require('./chunks/index.js')
`
  writeFileSync(join(OUT, 'cli.js'), `#!/usr/bin/env node\n${look}${command}`, { mode: 0o755 })
  writeFileSync(join(OUT, 'index.js'), `${look}${library}`)
}

/** The public types import nothing, so one file is all of them. */
function writeTypes(): void {
  const types = join(OUT, 'types')
  // What the type checker remembers of its last run is of no use here: it would write nothing where nothing changed.
  const emit = ['--noEmit', 'false', '--incremental', 'false', '--declaration', '--emitDeclarationOnly']
  execFileSync('tsc', [...emit, '--outDir', types], { stdio: 'inherit' })
  const declarations = readFileSync(join(types, 'src', 'index.d.ts'), 'utf8')
  if (/\bfrom '/.test(declarations)) throw new Error('src/index.ts exposes a type of another file')
  writeFileSync(join(OUT, 'index.d.ts'), declarations)
  rmSync(types, { recursive: true })
}

interface Bundled {
  name: string
  version: string
  license: string
  licenseText: string
}

/** The packages that went into the bundle, by their names. Two copies of one version are one package. */
function bundledPackages(inputs: readonly string[]): Bundled[] {
  const paths = new Set(inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []))
  const packages = [...paths].map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
    return { name, version, license, licenseText: licenseText(path, name) }
  })
  return [...new Map(packages.map((bundled) => [`${bundled.name}@${bundled.version}`, bundled])).entries()]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, bundled]) => bundled)
}

function licenseText(path: string, name: string): string {
  const own = readdirSync(path).filter((entry) => /^(licen[cs]e|notice|copying)/i.test(entry))
  const elsewhere = LICENSED_ELSEWHERE[name]
  if (own.length === 0 && elsewhere === undefined) throw new Error(`${name} has no file with its licence`)
  if (own.length > 0) return own.map((entry) => readFileSync(join(path, entry), 'utf8').trim()).join('\n\n')
  const text = readFileSync(String(elsewhere), 'utf8')
  return text.slice(text.indexOf('(The MIT License)')).trim()
}

function thirdPartyNotices(bundled: readonly Bundled[]): string {
  const notices = bundled.map(
    ({ name, version, license, licenseText }) => `${name} ${version} (${license})\n\n${licenseText}\n`,
  )
  return `The packages that sidemint contains, and their licences.\n\n${notices.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/**
 * The same list for scanners, which find no node_modules here: CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/).
 * Without a time and a serial number, which are optional, the same sources give the same file.
 */
function billOfMaterials(bundled: readonly Bundled[]): string {
  const component = ({ name, version, license }: Omit<Bundled, 'licenseText'>, type: string) => {
    const [, group, base] = /^(?:(@[^/]+)\/)?(.+)$/.exec(name) ?? []
    const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
    return { type, 'bom-ref': purl, group, name: base, version, licenses: [{ license: { id: license } }], purl }
  }
  const metadata = { component: component(JSON.parse(readFileSync('package.json', 'utf8')), 'application') }
  const components = bundled.map((one) => component(one, 'library'))
  return `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata, components }, null, 2)}\n`
}

for (const [path, { bytes }] of Object.entries(metafile.outputs)) {
  console.log(`${relative('.', path).padEnd(32)} ${(bytes / 1024).toFixed(0).padStart(5)} kB`)
}
