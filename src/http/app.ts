/** The order of the surfaces: the guard with Google's tree behind it, then Koa with the routes of every other path. */

import type { RequestListener } from 'node:http'
import type { Guard } from './guard.ts'
import type { Routed, Routes } from './koa.ts'
import { isRead } from './target.ts'
import { HEADERS, methodNotAllowed, notFound } from './wire.ts'

export type { Routes }

export interface AppOptions {
  guard: Guard
  routes: readonly Routes[]
}

/**
 * The guard stands before Koa, which would cost a cached answer 10 to 20 percent (docs/performance.md). Koa is loaded for
 * the first other path: no token needs it, and a start would wait for it.
 */
export function createApp(options: AppOptions): RequestListener {
  const { guard } = options
  // Koa asks for it too as it loads: where it was deleted, the start says so, and not the first path.
  process.cwd()
  let others: Promise<RequestListener> | undefined
  return (req, res) => {
    if (guard.takes(req, res)) return
    others ??= loadOthers(options)
    others.then(
      (answer) => answer(req, res),
      (thrown) => guard.fail(req, res, thrown),
    )
  }
}

async function loadOthers({ guard, routes }: AppOptions): Promise<RequestListener> {
  const { createKoa, routed } = await import('./koa.ts')
  const run = withGooglesHeaders(routed(routes))
  return createKoa({
    choose: () => run,
    refuse(ctx, { target }, thrown) {
      ctx.respond = false
      const { method, req, res } = ctx
      guard.fail(req, res, thrown ?? (isRead(method) ? notFound(target.text) : methodNotAllowed(method, target.path)))
    },
  })
}

function withGooglesHeaders(run: Routed): Routed {
  return (ctx, next) => {
    for (let index = 0; index < HEADERS.length; index += 2)
      ctx.res.setHeader(HEADERS[index] ?? '', HEADERS[index + 1] ?? '')
    return run(ctx, next)
  }
}
