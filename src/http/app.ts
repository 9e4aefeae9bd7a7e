/** The order of the surfaces: the guard with Google's tree behind it, then Koa with the routes of every other path. */

import type { RequestListener } from 'node:http'
import Router from '@koa/router'
import Koa, { type Context, type Middleware } from 'koa'
import type { Guard } from './guard.ts'
import { type Inbound, isRead, readInbound } from './target.ts'
import { HEADERS, methodNotAllowed, notFound } from './wire.ts'

/** Adds the routes of one subject, each with its methods. */
export type Routes = (router: Router<RouteState>) => void

/** What a route gets. */
export interface RouteState {
  inbound: Inbound
}

export interface AppOptions {
  guard: Guard
  routes: readonly Routes[]
}

/** The guard stands before Koa, which would cost a cached answer 10 to 20 percent (docs/performance.md). */
export function createApp({ guard, routes }: AppOptions): RequestListener {
  const router = new Router<RouteState>()
  for (const addTo of routes) addTo(router)
  const app = new Koa<RouteState>()
  app.silent = true
  app.use(guardedBy(guard))
  app.use(withGooglesHeaders)
  app.use(router.routes())
  const others = app.callback()
  return (req, res) => {
    if (!guard.takes(req, res)) void others(req, res)
  }
}

/** What is thrown in a route, and a path without one, is answered by the guard. */
function guardedBy(guard: Guard): Middleware<RouteState> {
  return async (ctx, next) => {
    const inbound = readInbound(ctx.req)
    const { target } = inbound
    ctx.state.inbound = inbound
    // What the router matches is the path that was checked, and never an absolute URL that it could not read.
    ctx.url = target.text
    try {
      await next()
      if (!isAnswered(ctx)) throw isRead(ctx.method) ? notFound(target.text) : methodNotAllowed(ctx.method, target.path)
    } catch (thrown) {
      ctx.respond = false
      guard.fail(ctx.req, ctx.res, thrown)
    }
  }
}

function isAnswered({ body, status, respond }: Context): boolean {
  return respond === false || status !== 404 || (body !== undefined && body !== null)
}

const withGooglesHeaders: Middleware = ({ res }, next) => {
  for (let index = 0; index < HEADERS.length; index += 2) res.setHeader(HEADERS[index] ?? '', HEADERS[index + 1] ?? '')
  return next()
}
