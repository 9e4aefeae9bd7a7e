/** A request's body, where a surface of our own takes one. */

import type { IncomingMessage } from 'node:http'

/** The body as text; undefined where it is longer than `most` bytes, and then the rest of it is not read. */
export async function readBody(req: IncomingMessage, most: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > most) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
