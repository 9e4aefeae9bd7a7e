/** Reads `sidemint.yaml`. */

import { constants } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { failure } from '../core/errors.ts'
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
 * name that is not a path: the setting's own check reports that. Throws SETTINGS_INVALID for a file that is not YAML.
 */
export async function readSettingsFile(named: string, problems: string[]): Promise<SettingsFile | undefined> {
  if (!isPathLike(named)) return undefined
  const path = named === '' ? DEFAULT_PATH : named
  const read = await readWhole(path, problems).catch(({ code = 'unknown reason' }: NodeJS.ErrnoException) => {
    if (named !== '' || code !== 'ENOENT') problems.push(`${plainly(path)}: cannot be read (${code})`)
    return undefined
  })
  return read && { path, ...read, data: await parseSettings(path, read.bytes) }
}

async function readWhole(path: string, problems: string[]): Promise<Pick<SettingsFile, 'bytes' | 'isRegular'>> {
  const stats = await stat(path)
  const bytes = stats.isFIFO() ? await readPipe(path) : await readFile(path)
  if (stats.isFIFO() && bytes.length === 0)
    problems.push(`${plainly(path)}: is a pipe that nobody writes to, or that says nothing`)
  return { bytes, isRegular: stats.isFile() }
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

/** The data in these bytes of a settings file. Throws SETTINGS_INVALID where they are not YAML. */
export async function parseSettings(path: string, bytes: Buffer): Promise<unknown> {
  const { parseYaml } = await import('../core/yaml.ts')
  const parsed = parseYaml(bytes.toString())
  if ('data' in parsed) return parsed.data
  const problems = parsed.problems.map((problem) => `${path}: ${problem}`).join('\n')
  throw failure('SETTINGS_INVALID', { problems }, { fix: NOT_YAML })
}

const NOT_YAML = 'correct the file: look at indentation, quotes and brackets there and just above'
