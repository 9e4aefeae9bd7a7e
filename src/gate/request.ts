/** One gate: decides about a request, passes it to the service or refuses it as Cloud Run's front end does, and records that. */

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { failure, type SidemintError, withFix } from '../core/errors.ts'
import { createNotice, type Events, type GateEvent } from '../core/events.ts'
import { stripped } from './credential.ts'
import type { Decision } from './decision.ts'
import { gateEvent, type Outcome } from './event.ts'
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
  callerOf: (socket: Socket) => string | Promise<string>
}

/** Called with what was thrown where nobody waits for it any more. */
type Fail = (thrown: unknown) => void

/**
 * `host` is the one that was asked for. Undefined where the decision needed no waiting; else settles once it is carried
 * out. Throws, rejects or calls `fail` for a fault.
 */
export type Gate = (exchange: Exchange, host: string, fail: Fail) => Promise<void> | undefined

export function createGate(parts: GateParts): Gate {
  const { judge, events, now, callerOf } = parts
  const { gate, wants } = judge
  const { upstream: url, strip, mode } = gate
  const notice = createNotice(events, now)
  const watch = watchDifferences(now, (text) => notice('warn', 'UNLIKE_CLOUD_RUN', text))
  const failed = (reason: string) =>
    failure('UPSTREAM_FAILED', { upstream: url, reason, setting: spellingOf(gate)('upstream') })
  const forward = createUpstream(url, (reason) => notice('warn', 'UPSTREAM_FAILED', withFix(failed(reason))))
  const enforced = mode === 'enforce'
  const record = createRecorder(parts, failed)

  /** Refuses the request, or passes it on. `answered` is called once the head of an answer is on its way. */
  function carryOut(exchange: Exchange, decision: Decision, answered: (status: number | undefined) => void): void {
    const { req } = exchange
    const { refusal, credential } = decision
    watch(exchange, refusal)
    if (refusal && enforced) {
      refuse(exchange, refusal.status)
      answered(undefined)
    } else {
      prepareForService(req)
      if (credential && !refusal) req.headers[credential.header] = stripped(credential, strip)
      forward(exchange, answered)
    }
  }

  return (exchange, host, fail) => {
    const { req } = exchange
    const started = performance.now()
    const named = callerOf(req.socket)
    const decided = decideOn(judge, req)
    const use = (decision: Decision) => {
      const tookMs = Math.round(performance.now() - started)
      carryOut(exchange, decision, (upstreamStatus) => {
        const recordAs = (caller: string) =>
          record(exchange, { decision, host, caller, enforced, upstreamStatus, tookMs, wants }, fail)
        if (typeof named === 'string') recordAs(named)
        else void named.then(recordAs)
      })
    }
    if (decided instanceof Promise) return decided.then(use)
    use(decided)
    return undefined
  }
}

function decideOn(judge: Judge, { method, rawHeaders }: IncomingMessage): Decision | Promise<Decision> {
  if (method !== 'TRACE') return judge.decide(rawHeaders)
  return { refusal: failure('METHOD_UNSUPPORTED', { what: 'TRACE' }), isPublic: false, audience: '', principal: '' }
}

/**
 * Records a call, and later that its answer was broken off. Throws nothing: by then the call has been handed to httpxy, and
 * what is thrown there would end the process.
 */
function createRecorder({ events, now }: GateParts, failed: (reason: string) => SidemintError) {
  function recordCut(call: GateEvent, why: string): void {
    const error = failed(why)
    events.record({ type: 'cut', at: now(), call, code: error.code, reason: withFix(error) })
  }

  return ({ req, to }: Exchange, outcome: Outcome, fail: Fail) => {
    try {
      const call = gateEvent(req, now(), outcome)
      events.record(call)
      whenCut(to, (why) => {
        try {
          recordCut(call, why)
        } catch (thrown) {
          fail(thrown)
        }
      })
    } catch (thrown) {
      fail(thrown)
    }
  }
}
