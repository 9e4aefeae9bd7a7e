/** `sidemint.yaml` as a JSON Schema, for editors; made from the table of settings when the package is built. */

import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema'
import * as v from 'valibot'
import type { WithJsonForm } from '../core/schemas.ts'
import type { SettingName } from './settings.ts'
import { SETTINGS } from './table.ts'

/**
 * In draft 7, the one that the YAML language server reads, with its keyword `patternErrorMessage`. What settings must
 * be together is beyond a schema.
 */
export function settingsJsonSchema(): JsonSchema {
  const entries = Object.entries(SETTINGS).map(([name, { schema }]) => [name, v.optional(schema)] as const)
  const { properties = {}, ...form } = toJsonSchema(v.strictObject(Object.fromEntries(entries)), {
    typeMode: 'input',
    overrideSchema: ({ valibotSchema }) =>
      // JSON writes it as a whole number, however long.
      valibotSchema.type === 'bigint' ? { type: 'integer' } : (valibotSchema as Partial<WithJsonForm>).json,
    overrideAction: ({ valibotAction, jsonSchema }) => {
      const own = formOf(valibotAction as Partial<WithJsonForm & v.RegexAction<string, string>>)
      return own && { ...jsonSchema, ...own }
    },
  })
  const described = Object.entries(properties).map(([name, property]) => {
    const { kind, help } = SETTINGS[name as SettingName]
    const value = property as JsonSchema
    return [name, { description: help, ...(kind === 'list' ? { anyOf: [value, inOneText(value)] } : value) }]
  })
  // A file of comments is data of null.
  return {
    ...form,
    title: 'sidemint.yaml',
    type: ['object', 'null'] as never,
    properties: Object.fromEntries(described),
  }
}

/** Of a check that is written as a function its own form; of a pattern the message too. */
function formOf({ json, requirement, message }: Partial<WithJsonForm & v.RegexAction<string, string>>) {
  if (json !== undefined) return json
  return requirement instanceof RegExp ? { pattern: requirement.source, patternErrorMessage: message } : undefined
}

/** A list may be one text with commas: then what its elements must be holds for each between them. */
function inOneText({ items }: JsonSchema): JsonSchema {
  const { pattern } = items as JsonSchema
  if (pattern === undefined) return { type: 'string' }
  const element = `\\s*(?:${pattern.replace(/^\^|\$$/g, '')})?\\s*`
  return { type: 'string', pattern: `^${element}(?:,${element})*$` }
}
