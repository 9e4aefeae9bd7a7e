/** Reads and checks the JSON body of an order. */

import type { IncomingMessage } from 'node:http'
import type * as v from 'valibot'
import { failure } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'
import { checkOrder } from './asked.ts'

const MOST_BYTES = 64 * 1024

/** No body counts as `{}`. Ignores the Content-Type. Throws CONTROL_BODY_INVALID. */
export async function readBody<S extends v.GenericSchema>(req: IncomingMessage, schema: S): Promise<v.InferOutput<S>> {
  const text = await readText(req)
  const data = text.trim() === '' ? {} : parseJson(text)
  if (data === undefined) throw wrong('it is not JSON')
  return checkOrder(schema, data, 'the body', wrong)
}

function wrong(reason: string): Error {
  return failure('CONTROL_BODY_INVALID', { reason })
}

/** Reads a body to its end even where it is too long: many clients read the answer only after they have sent everything. */
async function readText(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of req) {
    bytes += chunk.length
    if (bytes <= MOST_BYTES) chunks.push(chunk)
  }
  if (bytes > MOST_BYTES) throw wrong(`it has more than ${MOST_BYTES / 1024} kB`)
  return Buffer.concat(chunks).toString('utf8')
}
