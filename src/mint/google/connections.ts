/**
 * Few connections, and kept: a burst of new audiences must neither open hundreds of connections to Google nor have a
 * corporate proxy refuse us. They are shared by everything that one set of credentials asks.
 */

import type { Agent } from 'node:http'
import { createAgent } from '../../http/agent.ts'
import { OutOfTime } from '../bounded.ts'
import type { Destination } from './thrown.ts'

/** At once, to all hosts together. */
const MOST = 16

export interface Connections {
  /**
   * Runs a request with the agent of one connection to the target, once one is free. A request that fails without an
   * answer (`keeps` says which) closes it. Throws OutOfTime where the signal ends the waiting.
   */
  use<T>(to: Destination, total: AbortSignal, request: (agent: Agent) => Promise<T>): Promise<T>
}

/** One connection: made with its first request, kept between requests, and closed for good. */
interface Connection {
  /** Where it leads, and through which proxy. */
  way: string
  agent: Agent
  close(): void
}

interface Waiting {
  way: string
  to: Destination
  start(connection: Connection): void
}

/** `keeps`: whether the connection can be used again after a request that failed so. */
export function createConnections(keeps: (error: unknown) => boolean): Connections {
  const pool = createPool()
  const queue: Waiting[] = []

  function connectionTo(to: Destination, total: AbortSignal): Promise<Connection> {
    const way = wayTo(to)
    const free = pool.take(way, to)
    if (free !== undefined) return Promise.resolve(free)
    return new Promise((resolve, reject) => {
      const waiting = { way, to, start }
      const leave = () => {
        queue.splice(queue.indexOf(waiting), 1)
        reject(new OutOfTime('no connection was free'))
      }
      function start(connection: Connection) {
        total.removeEventListener('abort', leave)
        resolve(connection)
      }
      queue.push(waiting)
      total.addEventListener('abort', leave, { once: true })
    })
  }

  return {
    async use(to, total, request) {
      const connection = await connectionTo(to, total)
      let kept = true
      try {
        return await request(connection.agent)
      } catch (error) {
        kept = keeps(error)
        throw error
      } finally {
        if (kept) pool.keep(connection)
        else pool.drop(connection)
        serve(queue, pool)
      }
    },
  }
}

/** Not only the first: it may wait for a host that all connections lead to, and the next for another. */
function serve(queue: Waiting[], pool: Pool): void {
  const busy = new Set<string>()
  for (const waiting of [...queue]) {
    const { way, to } = waiting
    const connection = busy.has(way) ? undefined : pool.take(way, to)
    if (connection === undefined) {
      busy.add(way)
      continue
    }
    queue.splice(queue.indexOf(waiting), 1)
    waiting.start(connection)
  }
}

interface Pool {
  /** One to the same host, a new one, or a new one in the place of another host's; undefined where all are in use. */
  take(way: string, to: Destination): Connection | undefined
  keep(connection: Connection): void
  drop(connection: Connection): void
}

function createPool(): Pool {
  const all = new Set<Connection>()
  /** The longest idle first. */
  const idle: Connection[] = []
  const countTo = (way: string) => [...all].filter((each) => each.way === way).length

  /** Every host keeps one, so that the calls of one mint to two hosts do not close each other's. */
  function closeIdle(way: string): boolean {
    const index = idle.findIndex((each) => countTo(way) === 0 || countTo(each.way) > 1)
    const [found] = index < 0 ? [] : idle.splice(index, 1)
    if (found !== undefined) drop(found)
    return found !== undefined
  }

  function drop(connection: Connection): void {
    all.delete(connection)
    connection.close()
  }

  return {
    take(way, to) {
      const same = idle.findLastIndex((each) => each.way === way)
      if (same >= 0) return idle.splice(same, 1)[0]
      if (all.size >= MOST && !closeIdle(way)) return undefined
      const opened = openConnection(way, to)
      all.add(opened)
      return opened
    },
    keep: (connection) => void idle.push(connection),
    drop,
  }
}

function wayTo({ url, proxy }: Destination): string {
  return `${url.origin} ${proxy?.url.href ?? ''}`
}

function openConnection(way: string, { url, proxy }: Destination): Connection {
  const ending = new AbortController()
  return { way, agent: createAgent(url, proxy, ending.signal), close: () => ending.abort() }
}
