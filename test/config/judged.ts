/** A settings file as two readers see it: the JSON Schema, which editors use, and our own. */

import { Ajv } from 'ajv'
import { settingsJsonSchema } from '../../src/config/json-schema.ts'
import { settle } from '../../src/config/layers.ts'
import { parseYaml } from '../../src/core/yaml.ts'

const fits = new Ajv({ strict: false }).compile(settingsJsonSchema() as object)

export interface Judged {
  schema: boolean
  reader: boolean
  /** What the one that refuses says; where both do, the reader. */
  why: string
}

export function judge(yaml: string): Judged {
  const parsed = parseYaml(yaml)
  if (!('data' in parsed)) throw new Error(parsed.problems.join('\n'))
  const { data } = parsed
  // JSON Schema's validators know no bigint, as JSON has none: an editor reads a long number as a number.
  const json = JSON.parse(JSON.stringify(data, (_, value) => (typeof value === 'bigint' ? Number(value) : value)))
  const schema = fits(json)
  try {
    settle({ file: { path: 'sidemint.yaml', data } })
    return { schema, reader: true, why: JSON.stringify(fits.errors) }
  } catch (error) {
    return { schema, reader: false, why: (error as Error).message }
  }
}
