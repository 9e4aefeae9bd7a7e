/** Koa as every surface has it: routes in, and one place that answers what they throw and what has no route. */

import type { RequestListener } from 'node:http'
import Router from '@koa/router'
import Koa, { type Context, type Middleware } from 'koa'
import { type Inbound, readInbound } from './target.ts'

/** Adds the routes of one subject, each with its methods. */
export type Routes = (router: Router<RouteState>) => void

/** What a route gets. */
export interface RouteState {
  inbound: Inbound
}

/** Routes that were added, ready to be run. */
export type Routed = Middleware<RouteState>

export interface KoaOptions {
  /** The routes for a request; undefined where there are none. */
  choose: (inbound: Inbound) => Routed | undefined
  /** Answers what a route threw, or, where `thrown` is undefined, what no route answers. */
  refuse: (ctx: Context, inbound: Inbound, thrown: unknown) => void
}

export function createKoa({ choose, refuse }: KoaOptions): RequestListener {
  const app = new Koa<RouteState>()
  app.silent = true
  app.use(async (ctx, next) => {
    const inbound = readInbound(ctx.req)
    const { target } = inbound
    ctx.state.inbound = inbound
    // What the router matches is the path that was checked, and never an absolute URL that it could not read.
    if (target.isPath) ctx.url = target.text
    try {
      await choose(inbound)?.(ctx, next)
      if (!isAnswered(ctx)) refuse(ctx, inbound, undefined)
    } catch (thrown) {
      refuse(ctx, inbound, thrown)
    }
  })
  return app.callback()
}

export function routed(all: readonly Routes[]): Routed {
  const router = new Router<RouteState>()
  for (const addTo of all) addTo(router)
  return router.routes() as Routed
}

function isAnswered({ body, status, respond }: Context): boolean {
  return respond === false || status !== 404 || (body !== undefined && body !== null)
}
