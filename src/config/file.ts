/** Reads `sidemint.yaml`. */

import { readFile } from 'node:fs/promises'
import { isPathLike, plainly } from '../core/schemas.ts'

const DEFAULT_PATH = 'sidemint.yaml'

/**
 * The file's data; undefined where none is named and the default one does not exist. Adds what is wrong to the problems,
 * except a name that is not a path: the setting's own check reports that.
 */
export async function readSettingsFile(
  named: string,
  problems: string[],
): Promise<{ path: string; data: unknown } | undefined> {
  if (!isPathLike(named)) return undefined
  const path = named === '' ? DEFAULT_PATH : named
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException
    if (named !== '' || code !== 'ENOENT') problems.push(`${plainly(path)}: cannot be read (${code})`)
    return undefined
  }
  const { parseYaml } = await import('../core/yaml.ts')
  const parsed = parseYaml(text)
  if ('data' in parsed) return { path, data: parsed.data }
  problems.push(...parsed.problems.map((problem) => `${path}: ${problem}`))
  return undefined
}
