/**
 * Requests with `wait_for_change=true`: each is held until its value changes, its `timeout_sec` is over, or its client
 * leaves (docs/wire.md, "ETag and waiting").
 */

import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { failure, type SidemintError } from '../core/errors.ts'
import type { Inbound, Surface } from '../http/target.ts'
import type { Answer } from '../http/wire.ts'
import { isTruthy } from './leaves.ts'
import { etagOf } from './values.ts'

/** Each service of a stack holds a few; each costs a socket. */
const MOST_HELD = 1_000
/** Holds also without `timeout_sec`: a client that vanished without closing its connection would be held for ever. */
const LONGEST_MS = 3_600_000

export interface WaitingOptions {
  /** Asked with a held request again once something has changed. */
  ask: Surface
  /** Called with what is thrown where no more can be held: no request for a token tells of it. */
  onRefusal: (error: SidemintError) => void
  /** How a request's time passes; rejects once the signal aborts. Default: a timer. */
  wait?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

export interface Waiting {
  /**
   * Returns `answer` where the request does not have to wait: it does not ask to, or its `last_etag` is not the value's.
   * A request that is already held gets it too, so that its value can be looked at again. Throws WAITERS_TOO_MANY.
   * `answer`: the current answer to this request.
   */
  hold(inbound: Inbound, answer: Answer): Answer | Promise<Answer>
  /** Something has changed: looks at every held request again. */
  changed(): void
  /** Answers every held request with its current value; holds none from now on. */
  close(): void
}

interface Held {
  look(): void
  end(): void
}

export function createWaiting({ ask, onRefusal, wait = timer }: WaitingOptions): Waiting {
  const held = new Map<Inbound, Held>()
  const watched = new WeakSet<Socket>()
  let closed = false

  /** One listener for all held requests of a connection: a client may send many before it reads an answer. */
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
      if (held.size >= MOST_HELD) throw tooMany(onRefusal)
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

function tooMany(tell: WaitingOptions['onRefusal']): SidemintError {
  const error = failure('WAITERS_TOO_MANY', { most: String(MOST_HELD) })
  tell(error)
  return error
}

function timer(ms: number, signal: AbortSignal): Promise<unknown> {
  return sleep(ms, undefined, { signal })
}
