/** A request's body, where a surface of our own takes one. */

import type { IncomingMessage } from 'node:http'
import { Dropped } from './wire.ts'

/**
 * The body as text; undefined where it is longer than `most` bytes. It is read to its end even then: many clients read the
 * answer only after they have sent everything. Throws Dropped where the caller has left.
 */
export async function readBody(req: IncomingMessage, most: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of req as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length <= most) chunks.push(chunk)
    }
  } catch {
    // A request fails only where its connection has ended before it was all there.
    throw new Dropped()
  }
  return length > most ? undefined : Buffer.concat(chunks).toString('utf8')
}
