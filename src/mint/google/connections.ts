/**
 * A few connections that are kept. A burst of new audiences must not open hundreds of them to Google, or a company's
 * proxy may refuse us. All calls with one set of credentials share them (docs/minting.md, "Time and retries").
 */

import type { Agent } from 'node:http'
import { createAgent } from '../../http/agent.ts'
import { OutOfTime } from '../bounded.ts'
import type { Destination } from './thrown.ts'

/** Connections at the same time, to all hosts together. */
const MOST = 16

export interface Connections {
  /**
   * Runs a request on a connection to the target, once one is free. A request that fails without an answer (`keeps`
   * decides) closes its connection. Throws OutOfTime where the signal ends the wait.
   */
  use<T>(to: Destination, total: AbortSignal, request: (agent: Agent) => Promise<T>): Promise<T>
}

/** One connection: opened by its first request, kept between requests, closed once. */
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

/** `keeps`: whether the connection can be used again after a request failed with that error. */
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

/** Goes past the first: it may wait for a host whose connections are all in use, and the next one for another host. */
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
  /** A free one to the same host, a new one, or a new one instead of another host's; undefined where all are in use. */
  take(way: string, to: Destination): Connection | undefined
  keep(connection: Connection): void
  drop(connection: Connection): void
}

function createPool(): Pool {
  const all = new Set<Connection>()
  /** The longest idle first. */
  const idle: Connection[] = []
  const countTo = (way: string) => [...all].filter((each) => each.way === way).length

  /** Leaves every host one, so that one mint's calls to two hosts do not close each other's connections. */
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
  return `${url.origin} ${proxy?.url.href}`
}

function openConnection(way: string, { url, proxy }: Destination): Connection {
  const ending = new AbortController()
  return { way, agent: createAgent(url, proxy, ending.signal), close: () => ending.abort() }
}
