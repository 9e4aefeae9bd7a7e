/** `sidemint.yaml` as a JSON Schema, for editors; made from the table of settings when the package is built. */

import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema'
import * as v from 'valibot'
import type { WithJsonForm } from '../core/schemas.ts'
import type { SettingName } from './settings.ts'
import { SETTINGS } from './table.ts'

/**
 * In draft 7, which the YAML language server reads, with its keyword `patternErrorMessage`. It has no rules about
 * several settings together.
 */
export function settingsJsonSchema(): JsonSchema {
  const entries = Object.entries(SETTINGS).map(([name, { schema }]) => [name, v.optional(schema)] as const)
  const { properties = {}, ...form } = toJsonSchema(v.strictObject(Object.fromEntries(entries)), {
    typeMode: 'input',
    overrideSchema: ({ valibotSchema }) =>
      // In JSON a bigint is a whole number, however long.
      valibotSchema.type === 'bigint' ? { type: 'integer' } : (valibotSchema as Partial<WithJsonForm>).json,
    overrideAction: ({ valibotAction, jsonSchema }) => {
      const own = formOf(valibotAction as Partial<WithJsonForm & v.RegexAction<string, string>>)
      return own && { ...jsonSchema, ...own }
    },
  })
  const described = Object.entries(properties).map(([name, property]) => {
    const { kind, help } = SETTINGS[name as SettingName]
    const value = property as JsonSchema
    return [name, { description: help, ...(kind === 'list' ? { anyOf: [value, inOneText(value)] } : beside(value)) }]
  })
  // A file that holds only comments is null.
  return {
    ...form,
    title: 'sidemint.yaml',
    type: ['object', 'null'] as never,
    properties: Object.fromEntries(described),
  }
}

/** Draft 7 reads nothing that stands beside a `$ref`, so no description. */
function beside(value: JsonSchema): JsonSchema {
  return value.$ref === undefined ? value : { allOf: [value] }
}

/** The form of a check by a function, and the message of a pattern. */
function formOf({ json, requirement, message }: Partial<WithJsonForm & v.RegexAction<string, string>>) {
  if (json !== undefined) return json
  return requirement instanceof RegExp ? { pattern: requirement.source, patternErrorMessage: message } : undefined
}

/** A list may also be one text with commas; its elements' rule then holds for each part. */
function inOneText({ items }: JsonSchema): JsonSchema {
  const { pattern } = items as JsonSchema
  if (pattern === undefined) return { type: 'string' }
  const element = `\\s*(?:${pattern.replace(/^\^|\$$/g, '')})?\\s*`
  return { type: 'string', pattern: `^${element}(?:,${element})*$` }
}
