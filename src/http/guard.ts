/**
 * The first and the last to see a request. Refuses what no client of ours sends, and answers everything that is
 * thrown below; nobody else turns a failure into HTTP.
 */

import type { IncomingMessage } from 'node:http'
import type { Middleware } from 'koa'
import { asFailure, errorBody, failure, SidemintError } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import { createGlob } from '../core/glob.ts'
import { hostName } from '../core/host.ts'
import { writeAnswer } from './answer.ts'
import { createTargets, type Inbound, type Surface } from './target.ts'
import { type Answer, forbidden, MARKER, methodNotAllowed, notFound, TYPES, WireError } from './wire.ts'

/**
 * Hosts that no attacker's page can have: DNS rebinding makes a browser send the attacker's own public name.
 * IP literals, single labels (compose and Kubernetes services), and the names that Google's server has.
 */
const KNOWN_HOST =
  /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.%]+\]|[a-z0-9_-]+|(?:[a-z0-9_-]+\.)+internal|metadata\.goog|(?:[a-z0-9_-]+\.)+svc(?:\.cluster\.local)?)\.?(?::\d*)?$/i

export interface GuardOptions {
  /** Google's paths. In front of the router: measured, a router in its way costs a cached request 10 to 20 percent. */
  metadata: Surface
  /** Further names; `*` is any run of characters. */
  allowHost: readonly string[]
  events: Events
  now: () => number
}

/** Between the guard and what is behind it. */
export interface GuardedState {
  inbound: Inbound
  /** Left for the guard to write. */
  answer?: Answer
}

export function createGuard({ metadata, allowHost, events, now }: GuardOptions): Middleware<GuardedState> {
  const targetOf = createTargets()
  const isAllowed = createGlob(allowHost.map(hostName))
  const knows = (host: string) => KNOWN_HOST.test(host) || isAllowed(hostName(host))

  function warn(code: string, text: string): void {
    events.record({ type: 'notice', at: now(), level: 'warn', code, text })
  }

  function refuse({ headers, method = 'GET' }: IncomingMessage, { target, host }: Inbound): void {
    const { path } = target
    if (!knows(host)) {
      warn('HOST_REFUSED', `refused Host ${JSON.stringify(host)}. Fix: --allow-host ${hostName(host) || 'NAME'}`)
      throw forbidden(path)
    }
    if (headers[MARKER] !== undefined) throw failure('SELF_LOOP', {})
    if (headers['x-forwarded-for'] !== undefined) {
      warn(
        'PROXIED_REQUEST',
        `refused ${path} with X-Forwarded-For, as Google does. Fix: let clients ask without a proxy between`,
      )
      throw forbidden(path)
    }
    if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed(method, path)
    if (target.segments?.[0] === 'computeMetadata' && !hasFlavor(headers)) {
      warn(
        'FLAVOR_MISSING',
        `refused ${path} without the header Metadata-Flavor: Google. Fix: curl -H 'Metadata-Flavor: Google'`,
      )
      throw forbidden(path, 'Missing Metadata-Flavor:Google header.')
    }
  }

  return async function guard(ctx, next) {
    const { req } = ctx
    const target = targetOf(req.url ?? '/')
    const inbound = { target, host: target.authority ?? req.headers.host ?? '', socket: req.socket }
    try {
      refuse(req, inbound)
      const answer = metadata(inbound)
      if (answer !== undefined) return writeAnswer(ctx, answer instanceof Promise ? await answer : answer)
      ctx.state.inbound = inbound
      await next()
      if (ctx.state.answer === undefined) throw notFound(target.text)
      writeAnswer(ctx, ctx.state.answer)
    } catch (thrown) {
      const answer = answerTo(thrown)
      if (!(thrown instanceof WireError || thrown instanceof SidemintError)) reportFault(thrown)
      if (!ctx.res.headersSent) writeAnswer(ctx, answer)
    }
  }

  /** The place of the fault without its message, which may quote a secret. */
  function reportFault(thrown: unknown): void {
    const frames = thrown instanceof Error ? (thrown.stack?.match(/^ +at .*$/gm) ?? []) : []
    const text = [asFailure(thrown).message, ...frames.map((frame) => frame.trim())].join(' ')
    events.record({ type: 'notice', at: now(), level: 'error', code: 'INTERNAL', text })
  }
}

/** Google's own words where Google has the failure, else ours. */
export function answerTo(thrown: unknown): Answer {
  if (thrown instanceof WireError) return thrown.answer
  const error = asFailure(thrown)
  return { status: error.status, type: TYPES.html, body: errorBody(error) }
}

/** The second name is the one that Google's server took before 2014; boto still sends it. */
function hasFlavor(headers: NodeJS.Dict<string | string[]>): boolean {
  return headers['metadata-flavor'] === 'Google' || headers['x-google-metadata-request'] === 'True'
}
