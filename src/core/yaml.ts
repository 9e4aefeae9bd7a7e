/** YAML as data. In a file of its own, so that the library is loaded only where there is YAML. */

import { isAlias, isCollection, isNode, isPair, parseDocument } from 'yaml'
import { encodingOf } from './encoding.ts'
import { parseJson } from './json.ts'

/** A generated compose file repeats an anchor for each service: a thousand services come to some 200,000 values. */
const MOST_VALUES = 500_000

/** So many digits that JSON.parse may round the number. */
const LONG_NUMBER = /\d{16}/

/**
 * The data, or what is wrong with the text. Merge keys (`<<`) are merged, as Compose does. Whole numbers beyond 2^53
 * are bigint and keep their digits.
 */
export function parseYaml(text: string): { data: unknown } | { problems: string[] } {
  return parseFast(text) ?? parseSlowly(text)
}

/** The data of a file's bytes, in any of a text's encodings. Throws an Error that says what is wrong with it. */
export function readYaml(bytes: Uint8Array): unknown {
  const parsed = parseYaml(new TextDecoder(encodingOf(bytes)).decode(bytes))
  if ('data' in parsed) return parsed.data
  throw new Error(`it is neither JSON nor YAML: ${parsed.problems[0]}`)
}

/** JSON is YAML too, and JSON.parse is a hundred times as fast (measured): a large policy would keep a gate's callers waiting. */
function parseFast(text: string): { data: unknown } | undefined {
  const data = /^\s*[{[]/.test(text) && !LONG_NUMBER.test(text) ? parseJson(text) : undefined
  return data === undefined ? undefined : { data }
}

function parseSlowly(text: string): { data: unknown } | { problems: string[] } {
  const document = parseDocument(text, { intAsBigInt: true, merge: true, prettyErrors: true })
  const [first] = document.errors
  // The others follow from it as a rule. Its first line ends with a colon where the next ones show the place.
  if (first !== undefined) return { problems: [first.message.replace(/:?\n.*$/s, '')] }
  try {
    if (weigh(document.contents, new Map()) > MOST_VALUES) throw new RangeError('more values than anybody means')
    // The library's own limit counts aliases, not what they expand to.
    return { data: withNumbers(document.toJS({ maxAliasCount: -1 })) }
  } catch {
    return { problems: ['an alias is unknown, refers to itself, or is used too often'] }
  }
}

/** How many nodes there are with every alias expanded; `anchors` has the counts of the anchors so far. */
function weigh(node: unknown, anchors: Map<string, number>): number {
  if (isAlias(node)) return anchors.get(node.source) ?? 1
  const parts = isPair(node) ? [node.key, node.value] : isCollection(node) ? node.items : []
  const weight = parts.reduce<number>((sum, part) => sum + weigh(part, anchors), 1)
  if (isNode(node) && !isAlias(node) && node.anchor !== undefined) anchors.set(node.anchor, weight)
  return weight
}

function withNumbers(data: unknown): unknown {
  if (typeof data === 'bigint') return Number.isSafeInteger(Number(data)) ? Number(data) : data
  if (Array.isArray(data)) return data.map(withNumbers)
  if (typeof data !== 'object' || data === null) return data
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, withNumbers(value)]))
}
