/** The order of the surfaces: the guard with Google's tree behind it, then the routes of every other path. */

import type { RequestListener } from 'node:http'
import Router from '@koa/router'
import Koa, { type Middleware } from 'koa'
import type { GuardedState } from './guard.ts'
import { HEADERS } from './wire.ts'

/** Adds the routes of one subject, each with its methods. Not for what every client asks: a router costs time. */
export type Routes = (router: Router<GuardedState>) => void

export interface AppOptions {
  guard: Middleware<GuardedState>
  routes: readonly Routes[]
}

export function createApp({ guard, routes }: AppOptions): RequestListener {
  const router = new Router<GuardedState>()
  for (const addTo of routes) addTo(router)
  const app = new Koa<GuardedState>()
  app.silent = true
  app.use(guard)
  app.use(withGooglesHeaders)
  app.use(router.routes())
  return app.callback()
}

const withGooglesHeaders: Middleware = ({ res }, next) => {
  for (let index = 0; index < HEADERS.length; index += 2) res.setHeader(HEADERS[index] ?? '', HEADERS[index + 1] ?? '')
  return next()
}
