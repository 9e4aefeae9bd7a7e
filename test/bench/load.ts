/**
 * The load: raw requests over kept connections, in a process and on a core of its own, ordered over IPC. Written on
 * node:net, since it must be light and must be there wherever the bench is run.
 */

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Order {
  host: string
  port: number
  /** Whole requests as bytes in text, sent by turns. */
  requests: readonly string[]
  count: number
  connections: number
  /** Sent no faster than this many a second; absent: as fast as they are answered. */
  perSecond?: number
  /** The client sleeps while it waits for answers, as most do. Default: it keeps its core awake. */
  sleeps?: boolean
}

export interface Outcome {
  seconds: number
  medianMs: number
  p99Ms: number
  slowestMs: number
  /** Answers with another status than 200, by status. */
  failures: Record<string, number>
}

const HEAD_END = Buffer.from('\r\n\r\n')
const SILENCE_MS = 30_000

/** Open connections by server, kept from one order to the next: opening them would be charged to the requests. */
const kept = new Map<string, Socket[]>()

export async function drive(order: Order): Promise<Outcome> {
  const { count } = order
  const sockets = await connections(order)
  const ends = order.sleeps === true ? [] : [stayAwake()]
  try {
    return await new Promise((resolve, reject) => {
      const tookMs = new Float64Array(count)
      const failures: Record<string, number> = {}
      let answered = 0
      const startedAt = performance.now()
      const turns = createTurns(order, startedAt)
      const record = (index: number, status: string, ms: number) => {
        tookMs[index] = ms
        if (status !== '200') failures[status] = (failures[status] ?? 0) + 1
        answered += 1
        if (answered === count) resolve(summary(tookMs, performance.now() - startedAt, failures))
      }
      for (const socket of sockets) ends.push(converse(socket, turns, record, reject))
    })
  } finally {
    for (const end of ends) end()
  }
}

/**
 * Keeps this core from sleeping: a client that sleeps has to be woken, the server's write pays for that, and a slower
 * server's clients sleep more often. Measured so, a server that costs 1.3 times another seems to cost 1.6 times.
 */
function stayAwake(): () => void {
  let immediate = setImmediate(turn)
  function turn() {
    immediate = setImmediate(turn)
  }
  return () => clearImmediate(immediate)
}

interface Turn {
  index: number
  request: string
  waitMs: number
}

/** Which request is next, and when; undefined after the last. */
function createTurns({ requests, count, perSecond }: Order, startedAt: number): () => Turn | undefined {
  let sent = 0
  return () => {
    if (sent === count) return undefined
    const index = sent
    sent += 1
    const waitMs = perSecond === undefined ? 0 : startedAt + (index * 1000) / perSecond - performance.now()
    return { index, request: requests[index % requests.length] ?? '', waitMs }
  }
}

/**
 * One listener a connection, no promise a request: this process must keep up with the fastest server. What it returns
 * ends it.
 */
function converse(
  socket: Socket,
  turns: () => Turn | undefined,
  record: (index: number, status: string, ms: number) => void,
  reject: (error: Error) => void,
): () => void {
  let turn: Turn | undefined
  let askedAt = 0
  let received: Buffer | undefined

  function ask({ request }: Turn): void {
    askedAt = performance.now()
    socket.write(request, 'latin1')
  }

  function take(): void {
    turn = turns()
    if (turn === undefined) return
    if (turn.waitMs > 1) setTimeout(ask, turn.waitMs, turn)
    else ask(turn)
  }

  function closed(): void {
    if (turn !== undefined) reject(new Error('the connection was closed before its answer'))
  }

  function hear(chunk: Buffer): void {
    received = received === undefined ? chunk : Buffer.concat([received, chunk])
    const headEnd = received.indexOf(HEAD_END)
    if (headEnd < 0 || turn === undefined) return
    const head = received.toString('latin1', 0, headEnd)
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
    if (length === undefined) throw new Error(`an answer without Content-Length: ${head}`)
    if (received.length < headEnd + HEAD_END.length + Number(length)) return
    received = undefined
    record(turn.index, head.slice(9, 12), performance.now() - askedAt)
    take()
  }

  socket.on('data', hear).on('close', closed)
  take()
  return () => void socket.off('data', hear).off('close', closed)
}

function summary(tookMs: Float64Array, allMs: number, failures: Record<string, number>): Outcome {
  tookMs.sort()
  const at = (share: number) => tookMs[Math.floor((tookMs.length - 1) * share)] ?? 0
  return { seconds: allMs / 1000, medianMs: at(0.5), p99Ms: at(0.99), slowestMs: at(1), failures }
}

async function connections({ host, port, connections }: Order): Promise<Socket[]> {
  const server = `${host}:${port}`
  const open = (kept.get(server) ?? []).filter((socket) => !socket.destroyed)
  const more = Array.from({ length: Math.max(0, connections - open.length) }, async () => {
    const socket = connect({ host, port, noDelay: true })
    await once(socket, 'connect')
    socket.on('error', () => {})
    return socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error('no answer in time')))
  })
  open.push(...(await Promise.all(more)))
  kept.set(server, open)
  return open.slice(0, connections)
}

if (process.send !== undefined) {
  process.on('message', (order: Order) => {
    drive(order).then(
      (outcome) => process.send?.({ outcome }),
      (error: Error) => process.send?.({ error: error.message }),
    )
  })
}
