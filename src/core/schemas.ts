/** The checks of a setting's value, each with its rule in plain words. */

import * as v from 'valibot'
import { isEmail } from './email.ts'

/** Who takes a setting: the commands that have its flag, and `startSidemint` in a program. */
export type Taker = 'serve' | 'exec' | 'doctor' | 'token' | 'curl' | 'env' | 'gate' | 'library'

/** One setting of the table. */
export interface Setting {
  /** How a flag's or a variable's text is read. `tree` is for the file alone. */
  kind: 'text' | 'list' | 'number' | 'boolean' | 'tree'
  /** What the flag's value is called in the help. */
  value?: string
  schema: v.GenericSchema
  /** A default that is one text or number is added to it. */
  help: string
  takenBy: readonly Taker[]
  /** Absent: without a word about it, the setting is absent. */
  default?: unknown
  /** What one taker has in its place. */
  defaultOf?: Readonly<Partial<Record<Taker, unknown>>>
  /** And what it has in our container image. */
  imageDefault?: Readonly<Partial<Record<Taker, unknown>>>
}

type Defaults<Value> = {
  default?: Value
  defaultOf?: Partial<Record<Taker, Value>>
  imageDefault?: Partial<Record<Taker, Value>>
}

/** The rows as they are; the compiler holds each default to its row's check. */
export function settingsTable<const T extends Record<string, Setting>>(
  rows: T & { [N in keyof T]: Defaults<Readonly<v.InferOutput<T[N]['schema']>>> },
): T {
  return rows
}

export const email = v.pipe(v.string('must be an email'), v.check(isEmail, 'must be an email'))
export const text = v.pipe(v.string('must be text'), v.nonEmpty('must not be empty'))
export const digits = v.pipe(
  v.union([v.string(), v.number(), v.bigint()], 'must be digits'),
  v.transform(String),
  v.regex(/^\d+$/, 'must be digits'),
)
export const yesOrNo = v.boolean('must be true or false')

export const isWebUrl = (value: string) => /^https?:\/\/[^\s/]+/.test(value) && URL.canParse(value)
const WEB_URL = 'must be a URL with http:// or https://'
export const url = v.pipe(v.string(WEB_URL), v.check(isWebUrl, WEB_URL))

export const listOf = <const T extends v.GenericSchema>(element: T) => v.array(element, 'must be a list')

export function whole(least: number, most: number) {
  const rule = `must be a whole number from ${least} to ${most}`
  return v.pipe(v.number(rule), v.integer(rule), v.minValue(least, rule), v.maxValue(most, rule))
}

export const oneOf = <const T extends readonly string[]>(...options: T) =>
  v.picklist(options, `must be ${options.slice(0, -1).join(', ')} or ${options.at(-1)}`)

/** An object with these keys alone. */
export const objectOf = <const T extends v.ObjectEntries>(entries: T) =>
  v.strictObject(entries, ({ expected }) => {
    if (expected === 'never') return 'unknown key'
    return expected === 'Object' ? 'must be an object of values' : 'is missing'
  })

/** PATH_MAX of Linux. */
const LONGEST_PATH = 4096
/** JSON, PEM, base64 of a DER key, and how Google's refresh and access tokens begin. */
const CONTENT = /^(\{|-----BEGIN|MII[\w+/=-]{60}|1\/\/0|ya29\.)/
/** Looks further than a brace, since the base64 of one begins as `examples/` does. */
const ENCODED_CONTENT = /^\s*(\{\s*["}]|-----BEGIN)/

/**
 * Whether a text may be a file's path. It is not where the file's content stands in its place (a JSON credential, a
 * PEM key, a token, or base64 of one): such a value may be a secret, and is never shown.
 */
export function isPathLike(text: string): boolean {
  const unquoted = text.replace(/^\s*["']?\s*/, '')
  const decoded = Buffer.from(/^[\w+/-]*/.exec(unquoted)?.[0] ?? '', 'base64').toString()
  const isContent = CONTENT.test(unquoted) || ENCODED_CONTENT.test(decoded)
  return text.length <= LONGEST_PATH && !/[\0\r\n]/.test(text) && !isContent
}
