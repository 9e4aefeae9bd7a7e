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

/** Each TypeScript file of a folder by its path in it, with its text. */
export function readSources(folder: string): Map<string, string> {
  const files = globSync('**/*.{ts,tsx}', { cwd: folder, exclude: ['**/node_modules'] }).map((file) =>
    file.replaceAll('\\', '/'),
  )
  return new Map(files.sort().map((file) => [file, readFileSync(join(folder, file), 'utf8')]))
}

/** The files of `src`, read once for all tests of a process. */
export const SOURCES: ReadonlyMap<string, string> = readSources(join(import.meta.dirname, '..', 'src'))

/** The imports of each file: of types, re-exports and lazy ones too. */
export function importsOf(sources: ReadonlyMap<string, string>): Map<string, Import[]> {
  return new Map([...sources].map(([file, text]) => [file, importsIn(text, file)]))
}

function importsIn(text: string, file: string): Import[] {
  return [...text.matchAll(STATEMENTS)].map(([, type, from, bare, lazy]) => {
    const name = from ?? bare ?? lazy ?? ''
    const imported = name.startsWith('.') ? posix.join(dirname(file), name) : '..'
    return { name, typeOnly: type !== undefined, ...(imported.startsWith('..') ? {} : { file: imported }) }
  })
}
