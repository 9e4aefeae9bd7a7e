/** Several hosts behind one listener, each with routes of its own. */

import type { RequestListener } from 'node:http'
import type { Context } from 'koa'
import { hostName } from '../core/host.ts'
import { createKoa, type Routes, routed } from './koa.ts'

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
  const byHost = new Map([...hosts].map(([host, routes]) => [host, routed([routes])]))
  return createKoa({
    choose: ({ host }) => byHost.get(hostName(host)),
    refuse(ctx, { host, target: { path } }, thrown) {
      answer(ctx, refuse({ host: hostName(host), method: ctx.method, path }, thrown))
    },
  })
}

/** Indented, as Google's APIs answer. */
export function answer(ctx: Context, { status, body, headers = {} }: JsonAnswer): void {
  ctx.status = status
  ctx.set({ ...headers })
  ctx.type = 'application/json; charset=UTF-8'
  ctx.body = `${JSON.stringify(body, null, 2)}\n`
}
