/**
 * Sees each request first and last: refuses what Google's clients never send, and answers everything that is thrown
 * below. No other code turns a failure into HTTP.
 */

import type { IncomingMessage } from 'node:http'
import type { Context, Middleware } from 'koa'
import { asFailure, describeFault, errorBody, failure, SidemintError } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import { createGlob } from '../core/glob.ts'
import { hostName } from '../core/host.ts'
import { writeAnswer } from './answer.ts'
import { type Inbound, type Surface, Target } from './target.ts'
import {
  type Answer,
  badRequest,
  createAnswer,
  Dropped,
  forbidden,
  MARKER,
  methodNotAllowed,
  notFound,
  TYPES,
  WireError,
} from './wire.ts'

/**
 * Hosts that no attacker's page can have: with DNS rebinding a browser sends the attacker's own public name. IP
 * literals, single labels (Compose and Kubernetes services), and the names of Google's server (docs/wire.md,
 * "Addresses and Host").
 */
const KNOWN_HOST =
  /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.%]+\]|[a-z0-9_-]+|(?:[a-z0-9_-]+\.)+internal|metadata\.goog|(?:[a-z0-9_-]+\.)+svc(?:\.cluster\.local)?)\.?(?::\d*)?$/i

export interface GuardOptions {
  /** Google's paths. In front of the router, which would cost a cached request 10 to 20 percent (measured with @koa/router 15.7). */
  metadata: Surface
  /** Further names; `*` is any run of characters. */
  allowHost: readonly string[]
  events: Events
  now: () => number
}

/** What the guard hands to the routes. */
export interface GuardedState {
  inbound: Inbound
}

type Notice = (level: 'warn' | 'error', code: string, text: string) => void

export function createGuard({ metadata, allowHost, events, now }: GuardOptions): Middleware<GuardedState> {
  const notice: Notice = (level, code, text) => events.record({ type: 'notice', at: now(), level, code, text })
  const refuse = createRefusal(allowHost, notice)

  return async function guard(ctx, next) {
    const { req } = ctx
    const target = new Target(req.url ?? '/')
    const inbound = { target, host: target.authority ?? req.headers.host ?? '', socket: req.socket }
    try {
      refuse(req, inbound)
      const answer = isRead(ctx.method) ? metadata(inbound) : undefined
      if (answer !== undefined) return writeAnswer(ctx, answer instanceof Promise ? await answer : answer)
      ctx.state.inbound = inbound
      // What the router matches is the path that was checked, and never an absolute URL that it could not read.
      ctx.url = target.text
      await next()
      if (!isAnswered(ctx)) throw isRead(ctx.method) ? notFound(target.text) : methodNotAllowed(ctx.method, target.path)
    } catch (thrown) {
      if (thrown instanceof Dropped) return void ctx.req.socket.destroy()
      if (!(thrown instanceof WireError || thrown instanceof SidemintError)) {
        notice('error', 'INTERNAL', describeFault(thrown))
      }
      if (!ctx.res.headersSent) writeAnswer(ctx, answerTo(thrown))
    }
  }
}

/** Throws for what Google's clients never send (docs/wire.md, "Required header" and "X-Forwarded-For"). */
function createRefusal(allowHost: readonly string[], notice: Notice) {
  const isAllowed = createGlob(allowHost.map(hostName))
  const knows = (host: string) => KNOWN_HOST.test(host) || isAllowed(hostName(host))

  return ({ headers, method = 'GET' }: IncomingMessage, { target, host }: Inbound): void => {
    if (!target.isPath && target.text !== '*') throw badRequest('the request target must be a path or an http URL')
    if (!knows(host)) {
      const text = `refused Host ${JSON.stringify(host)}`
      notice('warn', 'HOST_REFUSED', `${text}. Fix: --allow-host ${hostName(host) || 'NAME'}`)
      throw forbidden(target.path)
    }
    if (headers[MARKER] !== undefined) throw failure('SELF_LOOP', {})
    if (headers['x-forwarded-for'] !== undefined) {
      const text = `refused ${target.path} with X-Forwarded-For, as Google does`
      notice('warn', 'PROXIED_REQUEST', `${text}. Fix: let clients ask without a proxy between`)
      throw forbidden(target.path)
    }
    if (target.isMetadata && isRead(method) && !hasFlavor(headers)) {
      const text = `refused ${target.path} without the header Metadata-Flavor: Google`
      notice('warn', 'FLAVOR_MISSING', `${text}. Fix: curl -H 'Metadata-Flavor: Google'`)
      throw forbidden(target.path, 'Missing Metadata-Flavor:Google header.')
    }
  }
}

function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD'
}

function isAnswered({ body, status, respond }: Context): boolean {
  return respond === false || status !== 404 || (body !== undefined && body !== null)
}

/** In Google's words where Google's server has the failure, else in ours. */
function answerTo(thrown: unknown): Answer {
  if (thrown instanceof WireError) return thrown.answer
  const error = asFailure(thrown)
  return createAnswer(error.status, TYPES.html, errorBody(error))
}

/** The second is the deprecated form, which boto still sends (docs/wire.md, "Required header"). */
function hasFlavor(headers: NodeJS.Dict<string | string[]>): boolean {
  return headers['metadata-flavor'] === 'Google' || headers['x-google-metadata-request'] === 'True'
}
