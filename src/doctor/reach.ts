/** Calls a host as a mint does, step by step, so that the step which fails can be named. */

import type { Agent, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { readDate } from '../core/date.ts'
import { SidemintError } from '../core/errors.ts'
import { createAgent } from '../http/agent.ts'
import { type HttpProxy, proxyFor } from '../http/proxy.ts'

export type Step = 'name' | 'proxy' | 'connection' | 'TLS' | 'answer'

/** The step that failed, and why: Node.js's code, or `PROXY_` and what the proxy did. */
export interface Obstacle {
  step: Step
  reason: string
}

export interface Reached {
  /** The proxy of the call; undefined: none. */
  proxy: HttpProxy | undefined
  /** Undefined where the host answered; a failure of the catalogue where the settings do not allow a try. */
  obstacle?: Obstacle | SidemintError
  /** How far Google's clock is ahead of ours, to the second. */
  aheadMs?: number
}

/** Never throws. `signal`: the host is given up. */
export async function reach(host: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Reached> {
  const target = `https://${host}/`
  const closing = new AbortController()
  let proxy: HttpProxy | undefined
  let step: Step = 'name'
  let sentAtMs = Date.now()
  try {
    proxy = proxyFor(target, env)
    if (proxy !== undefined) step = 'proxy'
    const agent = createAgent(target, proxy, AbortSignal.any([signal, closing.signal]))
    const { headers } = await ask(target, agent, signal, (next) => {
      step = next
      sentAtMs = Date.now()
    })
    const dateMs = readDate(headers.date)
    const middleMs = (sentAtMs + Date.now()) / 2
    // A Date header is cut to the second.
    return { proxy, ...(dateMs === undefined ? {} : { aheadMs: dateMs + 500 - middleMs }) }
  } catch (error) {
    if (error instanceof SidemintError) return { proxy, obstacle: error }
    const { code, message } = error as NodeJS.ErrnoException
    return { proxy, obstacle: { step, reason: signal.aborted ? 'no answer in time' : (code ?? message) } }
  } finally {
    closing.abort()
  }
}

/** Calls `onStep` at each further step. */
function ask(
  target: string,
  agent: Agent,
  signal: AbortSignal,
  onStep: (step: Step) => void,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asking = request(target, { agent, signal })
    asking.once('socket', (socket) => {
      // A socket that a proxy has opened is already connected.
      if (!socket.connecting) onStep('TLS')
      socket.once('lookup', (error) => error ?? onStep('connection'))
      socket.once('connect', () => onStep('TLS'))
      socket.once('secureConnect', () => onStep('answer'))
    })
    asking.once('error', reject).once('response', resolve).end()
  })
}
