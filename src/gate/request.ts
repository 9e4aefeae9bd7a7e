/** One gate: decides about a request, passes it to the service or refuses it as Cloud Run's front end does, and records that. */

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { failure, withFix } from '../core/errors.ts'
import { createNotice, type Events } from '../core/events.ts'
import { stripped } from './credential.ts'
import type { Decision } from './decision.ts'
import { gateEvent } from './event.ts'
import { type Exchange, refuse } from './exchange.ts'
import { prepareForService } from './headers.ts'
import type { Judge } from './judge.ts'
import { spellingOf } from './origin.ts'
import { watchDifferences } from './unlike.ts'
import { createUpstream, whenCut } from './upstream.ts'

export interface GateParts {
  judge: Judge
  events: Events
  /** Epoch ms. */
  now: () => number
  callerOf: (socket: Socket) => Promise<string>
}

/** Settles once the head of an answer is on its way. */
export type Gate = (exchange: Exchange) => Promise<void>

export function createGate(parts: GateParts): Gate {
  const { judge, events, now, callerOf } = parts
  const { gate, wants } = judge
  const { upstream: url, strip, mode } = gate
  const notice = createNotice(events, now)
  const watch = watchDifferences(now, (text) => notice('warn', 'UNLIKE_CLOUD_RUN', text))
  const failed = (reason: string) =>
    failure('UPSTREAM_FAILED', { upstream: url, reason, setting: spellingOf(gate)('upstream') })
  const forward = createUpstream(url, (reason) => notice('warn', 'UPSTREAM_FAILED', withFix(failed(reason))))

  async function decideOn(req: IncomingMessage): Promise<Decision> {
    if (req.method !== 'TRACE') return judge.decide(req.rawHeaders)
    return { refusal: failure('METHOD_UNSUPPORTED', { what: 'TRACE' }), isPublic: false, audience: '', principal: '' }
  }

  return async (exchange) => {
    const { req } = exchange
    const started = performance.now()
    const named = callerOf(req.socket)
    const { credential, ...decision } = await decideOn(req)
    const tookMs = Math.round(performance.now() - started)
    const { refusal } = decision
    watch(exchange, refusal)
    let upstreamStatus: number | undefined
    if (refusal && mode === 'enforce') refuse(exchange, refusal.status)
    else {
      prepareForService(req)
      if (credential && !refusal) req.headers[credential.header] = stripped(credential, strip)
      upstreamStatus = await forward(exchange)
    }
    const enforced = mode === 'enforce'
    const outcome = { ...decision, caller: await named, enforced, upstreamStatus, tookMs, wants, credential }
    const call = gateEvent(req, now(), outcome)
    events.record(call)
    whenCut(exchange.to, (why) => {
      const error = failed(why)
      events.record({ type: 'cut', at: now(), call, code: error.code, reason: withFix(error) })
    })
  }
}
