/** Reads `sidemint.yaml`. The YAML library is loaded only where there is a file. */

import { readFile } from 'node:fs/promises'

const DEFAULT_PATH = 'sidemint.yaml'

/** The file's data, or undefined where none is named and none is there. What is wrong is added to the problems. */
export async function readSettingsFile(
  named: string,
  problems: string[],
): Promise<{ path: string; data: unknown } | undefined> {
  const path = named === '' ? DEFAULT_PATH : named
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException
    if (named !== '' || code !== 'ENOENT') problems.push(`${path}: cannot be read (${code})`)
    return undefined
  }
  const { parseDocument } = await import('yaml')
  const document = parseDocument(text, { intAsBigInt: true, prettyErrors: true })
  if (document.errors.length === 0) return { path, data: withNumbers(document.toJS()) }
  problems.push(...document.errors.map(({ message }) => `${path}: ${message.split('\n')[0]}`))
  return undefined
}

/** Whole numbers come as bigint, so that an instance id keeps its digits; those that are safe become numbers. */
function withNumbers(data: unknown): unknown {
  if (typeof data === 'bigint') return Number.isSafeInteger(Number(data)) ? Number(data) : data
  if (Array.isArray(data)) return data.map(withNumbers)
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, withNumbers(value)]))
}
