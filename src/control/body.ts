/** Reads and checks the JSON body of an order. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type * as v from 'valibot'
import { failure } from '../core/errors.ts'
import { parseJson } from '../core/json.ts'
import { readBody } from '../http/body.ts'
import { checkOrder } from './asked.ts'

const MOST_BYTES = 64 * 1024
/** An order fits into a few packets: a caller that takes longer will not send the rest. */
const MOST_MS = 10_000

interface Exchange {
  req: IncomingMessage
  res: ServerResponse
}

/** No body counts as `{}`. Ignores the Content-Type. Throws CONTROL_BODY_INVALID and CONTROL_BODY_LATE. */
export async function readOrder<S extends v.GenericSchema>(exchange: Exchange, schema: S): Promise<v.InferOutput<S>> {
  const text = await readInTime(exchange)
  if (text === undefined) throw wrong(`it has more than ${MOST_BYTES / 1024} kB`)
  // This takes off a byte order mark too, which PowerShell writes.
  const trimmed = text.trim()
  const data = trimmed === '' ? {} : parseJson(trimmed)
  if (data === undefined) throw wrong('it is not JSON')
  return checkOrder(schema, data, 'the body', wrong)
}

async function readInTime({ req, res }: Exchange): Promise<string | undefined> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    // Such an answer says that the connection ends (RFC 9110 §15.5.9).
    res.setHeader('Connection', 'close')
    late.reject(failure('CONTROL_BODY_LATE', { seconds: String(MOST_MS / 1000) }))
  }, MOST_MS)
  try {
    return await Promise.race([readBody(req, MOST_BYTES), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function wrong(reason: string): Error {
  return failure('CONTROL_BODY_INVALID', { reason })
}
