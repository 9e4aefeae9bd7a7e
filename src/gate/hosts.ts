/** Several gates in one process, each for one service; the caller's Host chooses the gate. */

import type { RequestListener } from 'node:http'
import type { Socket } from 'node:net'
import { asFailure, failure, withFix } from '../core/errors.ts'
import { createNotice, type Events } from '../core/events.ts'
import { peerAddress } from '../core/host.ts'
import type { UpgradeListener } from '../http/listener.ts'
import { gateEvent } from './event.ts'
import { type Exchange, hostOf, refuse, takeOrigin } from './exchange.ts'
import type { Judge } from './judge.ts'
import { createGate, type Gate } from './request.ts'
import { createTurns } from './turns.ts'
import { whatCame } from './unlike.ts'

/** The key of a gate that names no host. */
const ANY_HOST = ''

export interface GatesOptions {
  events: Events
  /** Epoch ms. Default: the clock. */
  now?: () => number
  /** Names the caller where its name is known. Never rejects. Default: the address. */
  callerOf?: (socket: Socket) => string | Promise<string>
}

type Shared = Required<GatesOptions>

/** The gates of one port. */
export interface GatesListener {
  /** Absent: the port that all gates without one share. */
  port?: number
  handler: RequestListener
  upgrade: UpgradeListener
  /** Called with bytes that were not a request. */
  unreadable: (bytes: Buffer) => void
}

export function createGates(judges: readonly Judge[], options: GatesOptions): GatesListener[] {
  const { events, now = Date.now } = options
  const { callerOf = (socket) => peerAddress(socket.remoteAddress) } = options
  const shared = { events, now, callerOf }
  const byPort = new Map<number | undefined, Map<string, Gate>>()
  for (const judge of judges) {
    const { host = ANY_HOST, port } = judge.gate
    const gates = byPort.get(port) ?? new Map<string, Gate>()
    byPort.set(port, gates)
    gates.set(host, createGate({ judge, ...shared }))
  }
  const notice = createNotice(events, now)
  const inTurn = createTurns()
  return [...byPort].map(([port, gates]) => {
    const gate = chooseByHost(gates, shared)
    return {
      ...(port === undefined ? {} : { port }),
      handler: (req, res) => inTurn(() => gate({ req, to: res })),
      upgrade: (req, to, head) => gate({ req, to, head }),
      unreadable(bytes) {
        const text = whatCame(bytes)
        if (text !== undefined) notice('warn', 'NOT_HTTP_1', text)
      },
    }
  })
}

/** The gates of a port as one. A fault in one request must not end the others, so it throws nothing. */
function chooseByHost(
  gates: ReadonlyMap<string, Gate>,
  { events, now, callerOf }: Shared,
): (exchange: Exchange) => void {
  const notice = createNotice(events, now)

  async function refuseUnknown(exchange: Exchange, host: string): Promise<void> {
    const { req } = exchange
    const hosts = [...gates.keys()].join(', ')
    const refusal = failure('HOST_UNKNOWN', { host: JSON.stringify(host), hosts })
    const decision = { refusal, isPublic: false, audience: '', principal: '' }
    refuse(exchange, refusal.status)
    const caller = await callerOf(req.socket)
    events.record(gateEvent(req, now(), { decision, host, caller, enforced: true, tookMs: 0 }))
  }

  return (exchange) => {
    const fail = (thrown: unknown) => {
      const fault = asFailure(thrown)
      notice('error', fault.code, withFix(fault))
      exchange.to.destroy()
    }
    try {
      takeOrigin(exchange.req)
      const host = hostOf(exchange.req)
      const gate = gates.get(host) ?? gates.get(ANY_HOST) ?? refuseUnknown
      gate(exchange, host, fail)?.catch(fail)
    } catch (thrown) {
      fail(thrown)
    }
  }
}
