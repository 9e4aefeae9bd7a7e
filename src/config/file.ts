/** Reads `sidemint.yaml`. */

import { readFile, stat } from 'node:fs/promises'
import { isPathLike, plainly } from '../core/schemas.ts'

const DEFAULT_PATH = 'sidemint.yaml'

/** The settings file as it was read at the start. */
export interface SettingsFile {
  path: string
  bytes: Buffer
  data: unknown
  /** Whether it can be read again: a pipe cannot. */
  isRegular: boolean
}

/**
 * The file; undefined where none is named and the default one does not exist. Adds what is wrong to the problems, except a
 * name that is not a path: the setting's own check reports that.
 */
export async function readSettingsFile(named: string, problems: string[]): Promise<SettingsFile | undefined> {
  if (!isPathLike(named)) return undefined
  const path = named === '' ? DEFAULT_PATH : named
  try {
    const isRegular = (await stat(path)).isFile()
    const bytes = await readFile(path)
    return { path, bytes, data: await parseSettings(path, bytes, problems), isRegular }
  } catch (error) {
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException
    if (named !== '' || code !== 'ENOENT') problems.push(`${plainly(path)}: cannot be read (${code})`)
    return undefined
  }
}

/** The data in these bytes of a settings file; undefined where they are not YAML, which is added to the problems. */
export async function parseSettings(path: string, bytes: Buffer, problems: string[]): Promise<unknown> {
  const { parseYaml } = await import('../core/yaml.ts')
  const parsed = parseYaml(bytes.toString())
  if ('data' in parsed) return parsed.data
  problems.push(...parsed.problems.map((problem) => `${path}: ${problem}`))
  return undefined
}
