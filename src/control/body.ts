/** Reads and checks the JSON body of an order. */

import type { IncomingMessage } from 'node:http'
import type * as v from 'valibot'
import { failure } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'
import { readBody } from '../http/body.ts'
import { checkOrder } from './asked.ts'

const MOST_BYTES = 64 * 1024

/** No body counts as `{}`. Ignores the Content-Type. Throws CONTROL_BODY_INVALID. */
export async function readOrder<S extends v.GenericSchema>(req: IncomingMessage, schema: S): Promise<v.InferOutput<S>> {
  const text = await readBody(req, MOST_BYTES)
  if (text === undefined) throw wrong(`it has more than ${MOST_BYTES / 1024} kB`)
  // This takes off a byte order mark too, which PowerShell writes.
  const trimmed = text.trim()
  const data = trimmed === '' ? {} : parseJson(trimmed)
  if (data === undefined) throw wrong('it is not JSON')
  return checkOrder(schema, data, 'the body', wrong)
}

function wrong(reason: string): Error {
  return failure('CONTROL_BODY_INVALID', { reason })
}
