/** Reads `sidemint.yaml`. */

import { constants } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { isPathLike, plainly } from '../core/schemas.ts'

const DEFAULT_PATH = 'sidemint.yaml'
const PIPE_BYTES = 65_536
const PIPE_PAUSE_MS = 20

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
    const stats = await stat(path)
    const isRegular = stats.isFile()
    const bytes = stats.isFIFO() ? await readPipe(path) : await readFile(path)
    if (stats.isFIFO() && bytes.length === 0)
      problems.push(`${plainly(path)}: is a pipe that nobody writes to, or that says nothing`)
    return { path, bytes, data: await parseSettings(path, bytes, problems), isRegular }
  } catch (error) {
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException
    if (named !== '' || code !== 'ENOENT') problems.push(`${plainly(path)}: cannot be read (${code})`)
    return undefined
  }
}

/** An ordinary read of a pipe that nobody writes to waits for ever, and keeps the process from ending. */
async function readPipe(path: string): Promise<Buffer> {
  const parts: Buffer[] = []
  await using pipe = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  for (;;) {
    const part = await pipe.read(Buffer.alloc(PIPE_BYTES)).catch(whenEmpty)
    if (part === undefined) await sleep(PIPE_PAUSE_MS)
    else if (part.bytesRead === 0) return Buffer.concat(parts)
    else parts.push(part.buffer.subarray(0, part.bytesRead))
  }
}

/** Undefined where the writer has written nothing more yet. */
function whenEmpty(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EAGAIN') throw error
}

/** The data in these bytes of a settings file; undefined where they are not YAML, which is added to the problems. */
export async function parseSettings(path: string, bytes: Buffer, problems: string[]): Promise<unknown> {
  const { parseYaml } = await import('../core/yaml.ts')
  const parsed = parseYaml(bytes.toString())
  if ('data' in parsed) return parsed.data
  problems.push(...parsed.problems.map((problem) => `${path}: ${problem}`))
  return undefined
}
