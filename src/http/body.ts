/** A request's body, where a surface of our own takes one. */

import type { IncomingMessage } from 'node:http'

/**
 * The body as text; undefined where it is longer than `most` bytes. It is read to its end even then: many clients read the
 * answer only after they have sent everything.
 */
export async function readBody(req: IncomingMessage, most: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length <= most) chunks.push(chunk)
  }
  return length > most ? undefined : Buffer.concat(chunks).toString('utf8')
}
