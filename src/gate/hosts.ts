/** Many gates in one process, each for one service, chosen by the Host that the caller asked for. */

import type { IncomingMessage, RequestListener } from 'node:http'
import { asFailure, failure, withFix } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import type { UpgradeListener } from '../http/listener.ts'
import { addressOf, answer, answerSocket, hostOf, pathOf } from './exchange.ts'
import { pageFor } from './pages.ts'
import { createPolicy, type Policy } from './policy.ts'
import { createGate, type Gate } from './request.ts'
import type { GateOptions } from './settings.ts'
import { createVerifier, type Verifier } from './verifier.ts'

/** The key of a gate that names no host. */
const ANY_HOST = ''

export interface GatesOptions {
  events: Events
  /** Epoch ms. Default: the clock. */
  now?: () => number
}

/** The gates of one port. */
export interface GatesListener {
  /** Absent: of the port that all gates without one share. */
  port?: number
  handler: RequestListener
  upgrade: UpgradeListener
}

/** Throws SETTINGS_INVALID with all that is wrong with the gates' policies. */
export function createGates(list: readonly GateOptions[], { events, now = Date.now }: GatesOptions): GatesListener[] {
  const verifiers = new Map<string, Verifier>()
  const byPort = new Map<number | undefined, Map<string, Gate>>()
  const problems: string[] = []

  /** One for all gates that trust the same issuers, so that their keys are fetched once. */
  function verifierFor(trust: readonly string[]): Verifier {
    const key = trust.join(' ')
    const verifier = verifiers.get(key) ?? createVerifier({ trust, now })
    verifiers.set(key, verifier)
    return verifier
  }

  function policyFor({ invokers, policy, groups }: GateOptions): Policy {
    return createPolicy({
      invokers,
      ...(policy === undefined ? {} : { file: policy }),
      groups,
      now,
      notice: (level, code, text) => events.record({ type: 'notice', at: now(), level, code, text }),
    })
  }

  for (const options of list) {
    const { host = ANY_HOST, port, upstream, audiences, gcloudAudiences, subjects, strip, mode, trust } = options
    const gates = byPort.get(port) ?? new Map<string, Gate>()
    byPort.set(port, gates)
    try {
      const policy = policyFor(options)
      const rules = { audiences, gcloudAudiences, subjects }
      gates.set(host, createGate({ upstream, rules, policy, verifier: verifierFor(trust), strip, mode, events, now }))
    } catch (error) {
      problems.push(`${host === ANY_HOST ? '' : `${host}: `}${withFix(asFailure(error))}`)
    }
  }
  if (problems.length > 0) throw failure('SETTINGS_INVALID', { problems: problems.join('\n') })

  function unknownHost(req: IncomingMessage, gates: Map<string, Gate>) {
    const hosts = [...gates.keys()].join(', ')
    const refusal = failure('HOST_UNKNOWN', { host: JSON.stringify(hostOf(req)), hosts })
    events.record({
      type: 'gate',
      at: now(),
      decision: 'refuse',
      status: refusal.status,
      code: refusal.code,
      caller: addressOf(req),
      host: hostOf(req),
      audience: '',
      principal: '',
      reason: withFix(refusal),
      tookMs: 0,
    })
    return pageFor(refusal.status, pathOf(req))
  }

  return [...byPort].map(([port, gates]) => {
    const gateOf = (req: IncomingMessage) => gates.get(hostOf(req)) ?? gates.get(ANY_HOST)
    return {
      ...(port === undefined ? {} : { port }),
      handler(req, res) {
        const gate = gateOf(req)
        if (gate) return void gate.request(withoutUpgrade(req), res)
        answer(req, res, unknownHost(req, gates))
      },
      upgrade(req, socket, head) {
        const gate = gateOf(req)
        if (gate) return void gate.upgrade(req, socket, head)
        answerSocket(socket, unknownHost(req, gates))
      },
    }
  })
}

/**
 * An offer of HTTP/2 (Java's HttpClient makes one with its first request) is not taken up, which HTTP allows, and
 * must not reach the service, which might.
 */
function withoutUpgrade(req: IncomingMessage): IncomingMessage {
  if (req.headers.upgrade !== undefined) {
    delete req.headers.upgrade
    delete req.headers['http2-settings']
    req.headers.connection = 'keep-alive'
  }
  return req
}
