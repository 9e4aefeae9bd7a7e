/** What the files of a folder import, read from their text. */

import { globSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'

export interface Import {
  /** As it is written. */
  name: string
  /** The file of the folder that it means; absent for a library and for a file outside. */
  file?: string
  /** Gone when the program runs. */
  typeOnly: boolean
}

const STATEMENTS =
  /^(?:import|export)\s+(type\s)?[^'"`;]*?from\s*['"]([^'"]+)['"]|^import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm

/** Each TypeScript file of a folder by its path in it, with its imports: of types, re-exports and lazy ones too. */
export function readImports(folder: string): Map<string, Import[]> {
  const files = globSync('**/*.{ts,tsx}', { cwd: folder, exclude: ['**/node_modules'] }).map((file) =>
    file.replaceAll('\\', '/'),
  )
  return new Map(files.sort().map((file) => [file, importsOf(readFileSync(join(folder, file), 'utf8'), file)]))
}

function importsOf(text: string, file: string): Import[] {
  return [...text.matchAll(STATEMENTS)].map(([, type, from, bare, lazy]) => {
    const name = from ?? bare ?? lazy ?? ''
    const imported = name.startsWith('.') ? posix.join(dirname(file), name) : '..'
    return { name, typeOnly: type !== undefined, ...(imported.startsWith('..') ? {} : { file: imported }) }
  })
}
