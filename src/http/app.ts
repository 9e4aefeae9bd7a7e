/** The order of the surfaces: the guard with Google's tree behind it, then the router with every other path. */

import type { RequestListener } from 'node:http'
import Router from '@koa/router'
import Koa, { type Middleware } from 'koa'
import type { GuardedState } from './guard.ts'
import type { Inbound } from './target.ts'
import type { Answer } from './wire.ts'

export interface AppOptions {
  guard: Middleware<GuardedState>
  routes: Readonly<Record<string, (inbound: Inbound) => Answer | Promise<Answer>>>
}

export function createApp({ guard, routes }: AppOptions): RequestListener {
  const router = new Router<GuardedState>()
  for (const [path, answer] of Object.entries(routes)) {
    router.get(path, async ({ state }) => {
      state.answer = await answer(state.inbound)
    })
  }
  const app = new Koa<GuardedState>()
  app.silent = true
  app.use(guard)
  app.use(router.routes())
  return app.callback()
}
