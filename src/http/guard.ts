/**
 * Sees each request first: refuses what Google's clients never send, answers Google's paths, and leaves the others to
 * Koa's routes. Answers everything that is thrown below: no other code turns a failure into HTTP.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { asFailure, describeFault, errorBody, failure, SidemintError } from '../core/errors.ts'
import { createNotice, type Events, type Notice } from '../core/events.ts'
import { createGlob } from '../core/glob.ts'
import { hostName } from '../core/host.ts'
import { writeAnswer } from './answer.ts'
import { type Inbound, isRead, readInbound, type Surface } from './target.ts'
import { type Answer, badRequest, createAnswer, Dropped, forbidden, MARKER, TYPES, WireError } from './wire.ts'

/**
 * Hosts that no attacker's page can have: with DNS rebinding a browser sends the attacker's own public name. IP
 * literals, single labels (Compose and Kubernetes services), and the names of Google's server (docs/wire.md,
 * "Addresses and Host").
 */
const KNOWN_HOST =
  /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.%]+\]|[a-z0-9_-]+|(?:[a-z0-9_-]+\.)+internal|metadata\.goog|(?:[a-z0-9_-]+\.)+svc(?:\.cluster\.local)?)\.?(?::\d*)?$/i

export interface GuardOptions {
  /** Google's paths. */
  metadata: Surface
  /** Further names; `*` is any run of characters. */
  allowHost: readonly string[]
  events: Events
  /** Epoch ms. */
  now: () => number
}

export interface Guard {
  /** Answers Google's paths and what is refused, at once or later. False: the routes have to. */
  takes(req: IncomingMessage, res: ServerResponse): boolean
  /** Answers what was thrown in a route. */
  fail(req: IncomingMessage, res: ServerResponse, thrown: unknown): void
}

export function createGuard({ metadata, allowHost, events, now }: GuardOptions): Guard {
  const notice = createNotice(events, now)
  const refuse = createRefusal(allowHost, notice)

  function fail(req: IncomingMessage, res: ServerResponse, thrown: unknown, type: string): void {
    if (thrown instanceof Dropped) return void req.socket.destroy()
    if (!(thrown instanceof WireError || thrown instanceof SidemintError)) {
      notice('error', 'INTERNAL', describeFault(thrown))
    }
    if (!res.headersSent) writeAnswer(res, answerTo(thrown, type))
  }

  return {
    takes(req, res) {
      try {
        const inbound = readInbound(req)
        refuse(req, inbound)
        const answer = isRead(req.method) ? metadata(inbound) : undefined
        if (answer === undefined) return false
        if (answer instanceof Promise) {
          answer.then((ready) => writeAnswer(res, ready)).catch((thrown: unknown) => fail(req, res, thrown, TYPES.html))
        } else writeAnswer(res, answer)
      } catch (thrown) {
        fail(req, res, thrown, TYPES.html)
      }
      return true
    },
    fail: (req, res, thrown) => fail(req, res, thrown, TYPES.json),
  }
}

/** Throws for what Google's clients never send (docs/wire.md, "Required header" and "X-Forwarded-For"). */
function createRefusal(allowHost: readonly string[], notice: Notice) {
  const isAllowed = createGlob(allowHost.map(hostName))
  const knows = (host: string) => KNOWN_HOST.test(host) || isAllowed(hostName(host))

  return ({ headers, method }: IncomingMessage, { target, host }: Inbound): void => {
    if (!target.isPath && target.text !== '*') throw badRequest('the request target must be a path or an http URL')
    if (!knows(host)) {
      const text = `refused Host ${JSON.stringify(host.replace(/^.*@/, '***@'))}`
      notice('warn', 'HOST_REFUSED', `${text}. Fix: --allow-host ${hostName(host.replace(/^.*@/, '')) || 'NAME'}`)
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

/** In Google's words where Google's server has the failure, else in ours: in JSON, which Google's tree sends as text/html. */
function answerTo(thrown: unknown, type: string): Answer {
  if (thrown instanceof WireError) return thrown.answer
  const error = asFailure(thrown)
  return createAnswer(error.status, type, errorBody(error))
}

/** The second is the deprecated form, which boto still sends (docs/wire.md, "Required header"). */
function hasFlavor(headers: NodeJS.Dict<string | string[]>): boolean {
  return headers['metadata-flavor'] === 'Google' || headers['x-google-metadata-request'] === 'True'
}
