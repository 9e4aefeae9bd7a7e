/**
 * Requests with `wait_for_change=true`: each is held until the value that it asks for changes, its `timeout_sec` is
 * over, or its client goes. Google's documentation of `wait_for_change`, `last_etag` and `timeout_sec`:
 * cloud.google.com/compute/docs/metadata/querying-metadata#waitforchange.
 */

import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { failure } from '../core/errors.ts'
import type { Inbound, Surface } from '../http/target.ts'
import type { Answer } from '../http/wire.ts'
import { isTruthy } from './leaves.ts'
import { etagOf } from './values.ts'

/** A stack's services hold a few each; each costs a socket. */
const MOST_HELD = 1_000
/** Also without `timeout_sec`: a client that vanished without closing its connection would be held for good. */
const LONGEST_MS = 3_600_000

export interface WaitingOptions {
  /** Asked with a held request again once something has changed. */
  ask: Surface
  /** How a request's time passes; rejects once the signal aborts. Default: a timer that keeps no process alive. */
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

export interface Waiting {
  /**
   * The answer at hand where the request does not wait, or has to wait no more: another `last_etag` than the value's
   * is answered at once. A request that is held already gets it too, so that it can be asked again. Throws
   * WAITERS_TOO_MANY. `answer`: to the parameters of this request, which are sound.
   */
  hold(inbound: Inbound, answer: Answer): Answer | Promise<Answer>
  /** Something has changed: what is held is looked at again. */
  changed(): void
  /** Answers all that is held with its value as it is; nothing is held from now on. */
  close(): void
}

interface Held {
  look(): void
  end(): void
}

export function createWaiting({ ask, wait = unrefTimer }: WaitingOptions): Waiting {
  const held = new Map<Inbound, Held>()
  const watched = new WeakSet<Socket>()
  let closed = false

  /** One listener for all that is held of a connection: a client may send many requests before it reads an answer. */
  function watch(socket: Socket): void {
    if (watched.has(socket)) return
    watched.add(socket)
    socket.once('close', () => {
      for (const [inbound, { end }] of held) if (inbound.socket === socket) end()
    })
  }

  function keep(inbound: Inbound, answer: Answer, ms: number): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const ended = new AbortController()
    const end = () => resolve(answer)
    const look = async () => {
      const found = await ask(inbound)
      if (found !== undefined && etagOf(found) !== etagOf(answer)) resolve(found)
    }
    held.set(inbound, { look: () => void look().catch(reject), end })
    watch(inbound.socket)
    wait(ms, ended.signal).then(end, () => {})
    return promise.finally(() => {
      held.delete(inbound)
      ended.abort()
    })
  }

  return {
    hold(inbound, answer) {
      const { query } = inbound.target
      if (closed || !isTruthy(query.get('wait_for_change')) || held.has(inbound)) return answer
      const lastEtag = query.get('last_etag')
      const ms = Math.min(Number(query.get('timeout_sec') ?? Number.POSITIVE_INFINITY) * 1_000, LONGEST_MS)
      if (ms === 0 || (lastEtag !== null && lastEtag !== etagOf(answer))) return answer
      if (held.size >= MOST_HELD) throw failure('WAITERS_TOO_MANY', { most: String(MOST_HELD) })
      return keep(inbound, answer, ms)
    },
    changed() {
      for (const { look } of [...held.values()]) look()
    },
    close() {
      closed = true
      for (const { end } of [...held.values()]) end()
    },
  }
}

function unrefTimer(ms: number, signal: AbortSignal): Promise<unknown> {
  return sleep(ms, undefined, { signal, ref: false })
}
