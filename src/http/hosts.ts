/** Several hosts behind one listener, each with routes of its own. */

import type { RequestListener } from 'node:http'
import Router from '@koa/router'
import Koa, { type Context } from 'koa'
import { hostName } from '../core/host.ts'
import type { RouteState, Routes } from './app.ts'
import { readInbound } from './target.ts'

/** A request, as far as a refusal tells of it. */
export interface Asked {
  /** As a name, without port; empty where the request has none. */
  host: string
  method: string
  /** Without its query. */
  path: string
}

export interface JsonAnswer {
  status: number
  body: object
  headers?: Readonly<Record<string, string>>
}

export interface HostsOptions {
  /** By name. */
  hosts: ReadonlyMap<string, Routes>
  /** What is answered where no route does; `thrown`: what a route threw. */
  refuse: (asked: Asked, thrown: unknown) => JsonAnswer
}

export function createHostsApp({ hosts, refuse }: HostsOptions): RequestListener {
  const routers = new Map([...hosts].map(([host, routes]) => [host, routerOf(routes).routes()]))
  const app = new Koa<RouteState>()
  app.silent = true
  app.use(async (ctx, next) => {
    const inbound = readInbound(ctx.req)
    const { target } = inbound
    const asked = { host: hostName(inbound.host), method: ctx.method, path: target.path }
    ctx.state.inbound = inbound
    if (target.isPath) ctx.url = target.text
    try {
      await routers.get(asked.host)?.(ctx as never, next)
      if (!isAnswered(ctx)) answer(ctx, refuse(asked, undefined))
    } catch (thrown) {
      answer(ctx, refuse(asked, thrown))
    }
  })
  return app.callback()
}

function routerOf(addTo: Routes): Router<RouteState> {
  const router = new Router<RouteState>()
  addTo(router)
  return router
}

function isAnswered({ body }: Context): boolean {
  return body !== undefined && body !== null
}

/** Indented, as Google's APIs answer. */
export function answer(ctx: Context, { status, body, headers = {} }: JsonAnswer): void {
  ctx.status = status
  ctx.set({ ...headers })
  ctx.type = 'application/json; charset=UTF-8'
  ctx.body = `${JSON.stringify(body, null, 2)}\n`
}
