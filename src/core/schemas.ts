/** The checks of a setting's value, each with its rule in plain words. */

import { closestMatch } from 'leven'
import * as v from 'valibot'
import { emailIn, projectIn, WRITTEN_EMAIL, WRITTEN_PROJECT } from './accounts.ts'
import { visible } from './visible.ts'

/** Who runs a server or checks one; `library` is `startSidemint` in a program. */
export const SERVERS = ['serve', 'exec', 'doctor', 'library'] as const
/** Who mints in its own process where no server answers. */
export const CLIENTS = ['token', 'curl'] as const
/** Every command that has settings as flags. */
export const COMMANDS = ['serve', 'exec', 'doctor', 'token', 'curl', 'env', 'explain', 'grants', 'gate'] as const

/** Who takes a setting. */
export type Taker = (typeof COMMANDS)[number] | 'library'

/** One setting of the table. */
export interface Setting {
  /** How a flag's or a variable's text is read. Only the file has a `tree`. */
  kind: 'text' | 'list' | 'number' | 'boolean' | 'tree'
  /** What the flag's value is called in the help. */
  value?: string
  schema: v.GenericSchema
  /** In `--help` a default that is one text or number is added. */
  help: string
  takenBy: readonly Taker[]
  /** Absent: where nobody sets it, the setting is absent. */
  default?: unknown
  /** One taker's own default. */
  defaultOf?: Readonly<Partial<Record<Taker, unknown>>>
  /** One taker's own default in our container image. */
  imageDefault?: Readonly<Partial<Record<Taker, unknown>>>
}

type Defaults<Value> = {
  default?: Value
  defaultOf?: Partial<Record<Taker, Value>>
  imageDefault?: Partial<Record<Taker, Value>>
}

/** Returns the rows as they are; the compiler checks each default against its row's schema. */
export function settingsTable<const T extends Record<string, Setting>>(
  rows: T & { [N in keyof T]: Defaults<Readonly<v.InferOutput<T[N]['schema']>>> },
): T {
  return rows
}

type Table = Record<string, Setting>

/** The settings that some layer set. */
export type ChosenOf<T extends Table> = { [N in keyof T]?: v.InferOutput<T[N]['schema']> }

/** Those that have a default, so that they are always there. */
type Defaulted<T extends Table> = { [N in keyof T]: T[N] extends { default: unknown } ? N : never }[keyof T]

/** All of a table's settings; the ones without a default may be absent. */
export type SettledOf<T extends Table> = Readonly<ChosenOf<T> & Required<Pick<ChosenOf<T>, Defaulted<T>>>>

/** A check that the converter to JSON Schema cannot read, with its form there. */
export interface WithJsonForm {
  json: Readonly<Record<string, unknown>>
}

/** A check by a function, and its form in JSON Schema, which may accept what only the function can refuse. */
export function holds(rule: (value: string) => boolean, message: string, json: WithJsonForm['json']) {
  return sound((value) => (rule(value) ? undefined : message), json)
}

/** The same, for a rule whose message depends on the value. */
export function sound(complaint: (value: string) => string | undefined, json: WithJsonForm['json']) {
  const check = v.rawCheck<string>(({ dataset, addIssue }) => {
    const message = dataset.typed ? complaint(dataset.value) : undefined
    if (message !== undefined) addIssue({ message })
  })
  return Object.assign(check, { json })
}

export const text = v.pipe(v.string('must be text'), v.nonEmpty('must not be empty'))
export const yesOrNo = v.boolean('must be true or false')

const EMAIL = 'must be an email'
export const email = v.pipe(
  v.string(EMAIL),
  v.regex(WRITTEN_EMAIL, EMAIL),
  v.transform((written) => emailIn(written) ?? written),
)

const PROJECT = 'must be a project id'
export const project = v.pipe(
  v.string(PROJECT),
  v.regex(WRITTEN_PROJECT, PROJECT),
  v.transform((written) => projectIn(written) ?? written),
)

const DIGITS = 'must be digits'
const whatYamlReads = v.union([v.string(), v.number(), v.bigint()], DIGITS)
export const digits = v.pipe(
  Object.assign(whatYamlReads, { json: { type: ['string', 'integer'], pattern: '^\\d+$', minimum: 0 } }),
  v.transform(String),
  v.regex(/^\d+$/, DIGITS),
)

export const isWebUrl = (value: string) => /^https?:\/\/[^\s/]+/.test(value) && URL.canParse(value)
const WEB_URL = 'must be a URL with http:// or https://'
/** URLs of settings are shown in logs, errors and data, and a password in one would be too. */
const WITH_USER = 'must not have a user or a password before its host'
/** What is wrong with the URL of a setting, or undefined. */
export function whyNoUrl(value: string, rule = WEB_URL): string | undefined {
  if (!isWebUrl(value)) return rule
  const { username, password } = new URL(value)
  return username === '' && password === '' ? undefined : WITH_USER
}
export const url = v.pipe(
  v.string(WEB_URL),
  sound((value) => whyNoUrl(value), { pattern: '^https?://[^\\s/]+' }),
)

export const listOf = <const T extends v.GenericSchema>(element: T) => v.array(element, 'must be a list')

export function whole(least: number, most: number) {
  const rule = `must be a whole number from ${least} to ${most}`
  return v.pipe(v.number(rule), v.integer(rule), v.minValue(least, rule), v.maxValue(most, rule))
}

export const oneOf = <const T extends readonly string[]>(...options: T) =>
  v.picklist(options, `must be ${options.slice(0, -1).join(', ')} or ${options.at(-1)}`)

/** An object that has no keys but these. */
export const objectOf = <const T extends v.ObjectEntries>(entries: T) =>
  v.strictObject(entries, ({ expected, input }) => {
    if (expected === 'never') return `unknown key${suggest(String(input), Object.keys(entries))}`
    return expected === 'Object' ? 'must be an object of values' : 'is missing'
  })

/** ` (did you mean NAME?)` where one of the names is close, else nothing. */
export function suggest(wrong: string, names: readonly string[]): string {
  const closest = closestMatch(wrong, [...names], { maxDistance: 3 })
  return closest === undefined ? '' : ` (did you mean ${closest}?)`
}

/** PATH_MAX and NAME_MAX of Linux. */
const LONGEST_PATH = 4096
const LONGEST_NAME = 255
/** JSON in a URL's encoding, and the head of a PEM key anywhere. */
const HIDDEN_CONTENT = /^\s*%7B|PRIVATE(?: |%20|\+)KEY/i
/** JSON, PEM, base64 of a DER key, and how Google's refresh and access tokens begin. */
const CONTENT = /^\s*["']?\s*(\{|-----BEGIN|MII[\w+/=-]{60}|1\/\/0|ya29\.)/
/** More than a brace, since `examples/` read as base64 begins with one. */
const ENCODED_CONTENT = /^\s*(\{\s*["}]|-----BEGIN)/

/**
 * Whether a text may be the path of a file. It is not one where somebody put the file's content there (a JSON
 * credential, a PEM key, a token, or base64 of one): such a value may be a secret, and is never shown.
 */
export function isPathLike(text: string): boolean {
  const [encoded = ''] = /^[\w+/-]*/.exec(text.replace(/^\s*["']?\s*/, '')) ?? []
  const isContent = CONTENT.test(text) || ENCODED_CONTENT.test(Buffer.from(encoded, 'base64').toString())
  if (HIDDEN_CONTENT.test(text) || text.split(/[/\\]/).some((name) => name.length > LONGEST_NAME)) return false
  return text.length <= LONGEST_PATH && !/[\0\r\n]/.test(text) && !isContent
}

export const path = v.pipe(
  text,
  holds(isPathLike, "holds a file's content, and not its path: put the content into a file, and name that", {
    pattern: `^(?!${CONTENT.source.slice(1)})[^\\0\\r\\n]*$`,
  }),
)

const MOST_SHOWN = 100

/** A value as an error may quote it: one short line, without possible secrets and without a URL's password. */
export function quoted(given: string): string {
  if (!isPathLike(given)) return '(a value that is not shown, since it may be a secret)'
  const open = given.replace(/\/\/\S*@/g, '//***@')
  const cut = open.length > MOST_SHOWN ? `${open.slice(0, MOST_SHOWN)}…` : open
  return visible(JSON.stringify(cut))
}

/** The same, without quotes around a plain word. */
export function plainly(given: string): string {
  const shown = quoted(given)
  return /^"[\x21\x23-\x5b\x5d-\x7e]+"$/.test(shown) ? shown.slice(1, -1) : shown
}
