/** The order of the surfaces: guard, Google's tree, then the router with every other path. */

import type { RequestListener } from 'node:http'
import Router from '@koa/router'
import Koa, { type Middleware } from 'koa'
import type { Answer } from '../wire.ts'
import { writeAnswer } from './answer.ts'
import type { GuardedState } from './guard.ts'
import type { Target } from './target.ts'

export interface AppOptions {
  guard: Middleware<GuardedState>
  /** In front of the router: measured, a router in its way costs a cached request 10 to 20 percent. */
  metadata: Middleware<GuardedState>
  routes: Readonly<Record<string, (target: Target) => Answer | Promise<Answer>>>
}

export function createApp({ guard, metadata, routes }: AppOptions): RequestListener {
  const router = new Router<GuardedState>()
  for (const [path, answer] of Object.entries(routes)) {
    router.get(path, async (ctx) => writeAnswer(ctx, await answer(ctx.state.target)))
  }
  const app = new Koa<GuardedState>()
  app.silent = true
  app.use(guard)
  app.use(metadata)
  app.use(router.routes())
  return app.callback()
}
