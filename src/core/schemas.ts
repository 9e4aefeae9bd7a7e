/** The checks of a setting's value, each with its rule in plain words. */

import * as v from 'valibot'

/** One setting of the table. */
export interface Setting {
  /** How a flag's or a variable's text is read. `tree` is for the file alone. */
  kind: 'text' | 'list' | 'number' | 'boolean' | 'tree'
  /** What the flag's value is called in the help. */
  value?: string
  schema: v.GenericSchema
  /** A default that is one text or number is added to it. */
  help: string
}

export const email = v.pipe(v.string('must be an email'), v.regex(/^[^@\s,]+@[^@\s,]+$/, 'must be an email'))
export const text = v.pipe(v.string('must be text'), v.nonEmpty('must not be empty'))
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
