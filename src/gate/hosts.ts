/** Many gates in one process, each for one service, chosen by the Host that the caller asked for. */

import type { RequestListener } from 'node:http'
import { asFailure, failure, withFix } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import type { UpgradeListener } from '../http/listener.ts'
import { gateEvent } from './event.ts'
import { type Exchange, hostOf, refuse, takeOrigin } from './exchange.ts'
import { createPolicy } from './policy.ts'
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
  const verifierFor = createVerifiers(now)
  const byPort = new Map<number | undefined, Map<string, Gate>>()
  const problems: string[] = []
  for (const options of list) {
    const { host = ANY_HOST, port } = options
    const gates = byPort.get(port) ?? new Map<string, Gate>()
    byPort.set(port, gates)
    try {
      gates.set(host, gateFor(options, verifierFor(options.trust), events, now))
    } catch (error) {
      problems.push(`${host === ANY_HOST ? '' : `${host}: `}${withFix(asFailure(error))}`)
    }
  }
  if (problems.length > 0) throw failure('SETTINGS_INVALID', { problems: problems.join('\n') })
  return [...byPort].map(([port, gates]) => {
    const gate = chooseByHost(gates, events, now)
    return {
      ...(port === undefined ? {} : { port }),
      handler: (req, res) => void gate({ req, to: res }),
      upgrade: (req, to, head) => void gate({ req, to, head }),
    }
  })
}

/** One verifier for all gates that trust the same issuers, so that their keys are fetched once. */
function createVerifiers(now: () => number): (trust: readonly string[]) => Verifier {
  const verifiers = new Map<string, Verifier>()
  return (trust) => {
    const key = trust.join(' ')
    const verifier = verifiers.get(key) ?? createVerifier({ trust, now })
    verifiers.set(key, verifier)
    return verifier
  }
}

function gateFor(options: GateOptions, verifier: Verifier, events: Events, now: () => number): Gate {
  const { upstream, audiences, gcloudAudiences, subjects, strip, mode, invokers, policy: file, groups } = options
  const policy = createPolicy({
    invokers,
    ...(file === undefined ? {} : { file }),
    groups,
    now,
    notice: (level, code, text) => events.record({ type: 'notice', at: now(), level, code, text }),
  })
  const rules = { audiences, gcloudAudiences, subjects, subjectsOf: options.trust[0] ?? '' }
  return createGate({ upstream, rules, policy, verifier, strip, mode, events, now })
}

/** The gates of a port as one that never rejects: a fault in one request must not end the others. */
function chooseByHost(gates: ReadonlyMap<string, Gate>, events: Events, now: () => number): Gate {
  async function refuseUnknown(exchange: Exchange): Promise<void> {
    const { req } = exchange
    const hosts = [...gates.keys()].join(', ')
    const refusal = failure('HOST_UNKNOWN', { host: JSON.stringify(hostOf(req)), hosts })
    refuse(exchange, refusal.status)
    events.record(gateEvent(req, now(), { refusal, enforced: true, audience: '', principal: '', tookMs: 0 }))
  }

  return async (exchange) => {
    try {
      takeOrigin(exchange.req)
      const gate = gates.get(hostOf(exchange.req)) ?? gates.get(ANY_HOST) ?? refuseUnknown
      await gate(exchange)
    } catch (error) {
      const fault = asFailure(error)
      events.record({ type: 'notice', at: now(), level: 'error', code: fault.code, text: withFix(fault) })
      exchange.to.destroy()
    }
  }
}
