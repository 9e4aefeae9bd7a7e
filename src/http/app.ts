/** The order of the surfaces: the guard with Google's tree behind it, then Koa with the routes of every other path. */

import type { RequestListener } from 'node:http'
import type { Guard } from './guard.ts'
import { createKoa, type Routed, type Routes, routed } from './koa.ts'
import { isRead } from './target.ts'
import { HEADERS, methodNotAllowed, notFound } from './wire.ts'

export type { Routes }

export interface AppOptions {
  guard: Guard
  routes: readonly Routes[]
}

/** The guard stands before Koa, which would cost a cached answer 10 to 20 percent (docs/performance.md). */
export function createApp({ guard, routes }: AppOptions): RequestListener {
  const run = withGooglesHeaders(routed(routes))
  const others = createKoa({
    choose: () => run,
    refuse(ctx, { target }, thrown) {
      ctx.respond = false
      const { method, req, res } = ctx
      guard.fail(req, res, thrown ?? (isRead(method) ? notFound(target.text) : methodNotAllowed(method, target.path)))
    },
  })
  return (req, res) => {
    if (!guard.takes(req, res)) void others(req, res)
  }
}

function withGooglesHeaders(run: Routed): Routed {
  return (ctx, next) => {
    for (let index = 0; index < HEADERS.length; index += 2)
      ctx.res.setHeader(HEADERS[index] ?? '', HEADERS[index + 1] ?? '')
    return run(ctx, next)
  }
}
