/** Whether data is what the OpenAPI document says that it is. */

import { Ajv2020 } from 'ajv/dist/2020.js'
import { OPENAPI } from '../../src/inspector/openapi.ts'

const ajv = new Ajv2020({ strict: false }).addSchema({ $id: 'document', ...OPENAPI })

/** `fits`, or what is wrong. */
export function compare(name: keyof typeof OPENAPI.components.schemas, data: unknown): string {
  const validate = ajv.getSchema(`document#/components/schemas/${name}`)
  return validate?.(data) === true ? 'fits' : JSON.stringify(validate?.errors ?? `no schema ${name}`)
}
