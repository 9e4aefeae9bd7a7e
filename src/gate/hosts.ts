/** Several gates in one process, each for one service; the caller's Host chooses the gate. */

import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { asFailure, asProblem, failure, withFix } from '../core/errors.ts'
import type { Events } from '../core/events.ts'
import { peerAddress } from '../core/host.ts'
import { type ReadFile, takeSnapshot } from '../core/snapshot.ts'
import type { UpgradeListener } from '../http/listener.ts'
import { gateEvent } from './event.ts'
import { type Exchange, hostOf, refuse, takeOrigin } from './exchange.ts'
import type { GateOptions } from './options.ts'
import { spellingOf } from './origin.ts'
import type { OwnIssuer } from './own-issuer.ts'
import { createPolicy } from './policy.ts'
import type { PolicyFile } from './policy-file.ts'
import { createGate, type Gate } from './request.ts'
import { createTurns } from './turns.ts'
import { whatCame } from './unlike.ts'
import { createVerifier, type Verifier } from './verifier.ts'

/** The key of a gate that names no host. */
const ANY_HOST = ''

export interface GatesOptions {
  events: Events
  /** Epoch ms. Default: the clock. */
  now?: () => number
  /** Names the caller where its name is known. Never rejects. Default: the address. */
  callerOf?: (socket: Socket) => Promise<string>
  /** The issuer in this process, whose keys are not fetched where a gate trusts it. */
  own?: OwnIssuer | undefined
  /** What reads policies. Default: the disk. */
  readFile?: ReadFile | undefined
}

type Shared = Required<Omit<GatesOptions, 'own' | 'readFile'>>

interface Parts extends Shared {
  verifierFor: (trust: readonly string[]) => Verifier
  readPolicy: ((path: string, setting: string) => PolicyFile) | undefined
}

/** The gates of one port. */
export interface GatesListener {
  /** Absent: the port that all gates without one share. */
  port?: number
  handler: RequestListener
  upgrade: UpgradeListener
  /** Called with bytes that were not a request. */
  unreadable: (bytes: Buffer) => void
}

/** Throws SETTINGS_INVALID with everything that is wrong with the gates' policies. */
export async function createGates(list: readonly GateOptions[], options: GatesOptions): Promise<GatesListener[]> {
  const { events, now = Date.now, own, readFile = takeSnapshot().read } = options
  const { callerOf = async (socket) => peerAddress(socket.remoteAddress) } = options
  const shared = { events, now, callerOf }
  const parts = { ...shared, verifierFor: createVerifiers(now, own), readPolicy: await policyReader(list, readFile) }
  const byPort = new Map<number | undefined, Map<string, Gate>>()
  const problems: string[] = []
  for (const options of list) {
    const { host = ANY_HOST, port } = options
    const gates = byPort.get(port) ?? new Map<string, Gate>()
    byPort.set(port, gates)
    try {
      gates.set(host, gateFor(options, parts))
    } catch (error) {
      problems.push(`${host === ANY_HOST ? '' : `${host}: `}${asProblem(asFailure(error))}`)
    }
  }
  if (problems.length > 0) throw failure('SETTINGS_INVALID', { problems: problems.join('\n') })
  const inTurn = createTurns()
  return [...byPort].map(([port, gates]) => {
    const gate = chooseByHost(gates, shared)
    return {
      ...(port === undefined ? {} : { port }),
      handler: (req, res) => inTurn(() => void gate({ req, to: res })),
      upgrade: (req, to, head) => void gate({ req, to, head }),
      unreadable(bytes) {
        const text = whatCame(bytes)
        if (text !== undefined) events.record({ type: 'notice', at: now(), level: 'warn', code: 'NOT_HTTP_1', text })
      },
    }
  })
}

/** One verifier for all gates that trust the same issuers, so that their keys are fetched once. */
function createVerifiers(now: () => number, own: OwnIssuer | undefined): (trust: readonly string[]) => Verifier {
  const verifiers = new Map<string, Verifier>()
  return (trust) => {
    const key = trust.join(' ')
    const verifier = verifiers.get(key) ?? createVerifier({ trust, own, now })
    verifiers.set(key, verifier)
    return verifier
  }
}

/** Loaded only where there is a policy file: it brings the YAML parser. */
async function policyReader(list: readonly GateOptions[], readFile: ReadFile): Promise<Parts['readPolicy']> {
  if (list.every(({ policy }) => policy === undefined)) return undefined
  const { readPolicyFile } = await import('./policy-file.ts')
  return (path, setting) => readPolicyFile(path, setting, readFile)
}

function gateFor(options: GateOptions, { events, now, callerOf, verifierFor, readPolicy: read }: Parts): Gate {
  const { upstream, audiences, gcloudAudiences, subjects, strip, mode, trust, invokers, policy: path, groups } = options
  const spell = spellingOf(options)
  const policy = createPolicy({
    invokers,
    ...(path === undefined || read === undefined ? {} : { file: { path, read } }),
    groups,
    spell,
    notice: (level, code, text) => events.record({ type: 'notice', at: now(), level, code, text }),
  })
  const rules = { audiences, gcloudAudiences, subjects, subjectsOf: trust[0] ?? '', spell }
  const wants = { audiences, trust, gcloudAudiences, invokers }
  return createGate({
    upstream,
    rules,
    wants,
    policy,
    verifier: verifierFor(trust),
    strip,
    mode,
    events,
    now,
    callerOf,
  })
}

/** The gates of a port as one gate. It never rejects: a fault in one request must not end the others. */
function chooseByHost(gates: ReadonlyMap<string, Gate>, { events, now, callerOf }: Shared): Gate {
  async function refuseUnknown(exchange: Exchange): Promise<void> {
    const { req } = exchange
    const hosts = [...gates.keys()].join(', ')
    const refusal = failure('HOST_UNKNOWN', { host: JSON.stringify(hostOf(req)), hosts })
    refuse(exchange, refusal.status)
    const caller = await callerOf(req.socket)
    events.record(gateEvent(req, now(), { caller, refusal, enforced: true, audience: '', principal: '', tookMs: 0 }))
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
