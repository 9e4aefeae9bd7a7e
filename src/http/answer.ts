/** Turns an answer into HTTP: the one writer of all surfaces but the gate. */

import type { Context } from 'koa'
import { type Answer, HEADERS } from '../wire.ts'

/**
 * Writes the head as one flat array past Koa's own response: measured, building a response with ctx.set and ctx.body
 * costs a third of a cached request. Never chunked: .NET wants a Content-Length.
 */
export function writeAnswer(ctx: Context, { status, type, body, headers = [] }: Answer): void {
  ctx.respond = false
  const length = String(Buffer.byteLength(body))
  ctx.res.writeHead(status, [...HEADERS, 'Content-Type', type, 'Content-Length', length, ...headers])
  ctx.res.end(body)
}
