/** YAML as data. A file of its own so that the library is loaded only where there is YAML to read. */

import { parseDocument } from 'yaml'

/** A generated compose file repeats one anchor for each service; the library's own limit is 100. */
const MOST_ALIASES = 10_000

/**
 * The data, or what is wrong with the text. Merge keys (`<<`) are merged, as Compose does. Whole numbers beyond 2^53
 * come as bigint and keep their digits.
 */
export function parseYaml(text: string): { data: unknown } | { problems: string[] } {
  const document = parseDocument(text, { intAsBigInt: true, merge: true, prettyErrors: true })
  if (document.errors.length > 0)
    return { problems: document.errors.map(({ message }) => message.split('\n')[0] ?? message) }
  try {
    return { data: withNumbers(document.toJS({ maxAliasCount: MOST_ALIASES })) }
  } catch {
    return { problems: ['an alias is unknown, refers to itself, or is used too often'] }
  }
}

function withNumbers(data: unknown): unknown {
  if (typeof data === 'bigint') return Number.isSafeInteger(Number(data)) ? Number(data) : data
  if (Array.isArray(data)) return data.map(withNumbers)
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, withNumbers(value)]))
}
