/** One gate: decides, lets the request through to its service or answers as Cloud Run's front end, and says so. */

import type { IncomingMessage } from 'node:http'
import { failure, withFix } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import { type Strip, stripped } from './credential.ts'
import { type Decision, decide, type Rules } from './decision.ts'
import { gateEvent } from './event.ts'
import { type Exchange, refuse } from './exchange.ts'
import { prepareForService } from './headers.ts'
import type { Policy } from './policy.ts'
import { createUpstream } from './upstream.ts'
import type { Verifier } from './verifier.ts'

export interface GateParts {
  upstream: string
  rules: Rules
  policy: Policy
  verifier: Verifier
  strip: Strip
  mode: 'enforce' | 'report'
  events: Events
  /** Epoch ms. */
  now: () => number
}

/** Settles once the head of an answer is on its way. */
export type Gate = (exchange: Exchange) => Promise<void>

export function createGate({ upstream: url, rules, policy, verifier, strip, mode, events, now }: GateParts): Gate {
  const forward = createUpstream(url, (reason) => {
    const error = failure('UPSTREAM_FAILED', { upstream: url, reason })
    events.record({ type: 'notice', at: now(), level: 'warn', code: error.code, text: withFix(error) })
  })

  async function decideOn(req: IncomingMessage): Promise<Decision> {
    if (req.method !== 'TRACE') return decide(req.rawHeaders, rules, policy.current(), verifier)
    return { refusal: failure('METHOD_UNSUPPORTED', { what: 'TRACE' }), audience: '', principal: '' }
  }

  return async (exchange) => {
    const { req } = exchange
    const started = performance.now()
    const { credential, ...decision } = await decideOn(req)
    const tookMs = Math.round(performance.now() - started)
    const outcome = { ...decision, enforced: mode === 'enforce', tookMs }
    const event = gateEvent(req, now(), outcome)
    if (event.decision === 'refuse') {
      refuse(exchange, event.status ?? 503)
      return events.record(event)
    }
    prepareForService(req)
    if (credential && event.decision === 'allow') req.headers[credential.header] = stripped(credential, strip)
    const upstreamStatus = await forward(exchange)
    events.record(upstreamStatus === undefined ? event : { ...event, upstreamStatus })
  }
}
