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
}

export interface Outcome {
  seconds: number
  medianMs: number
  slowestMs: number
  /** Answers with another status than 200, by status. */
  failures: Record<string, number>
}

const HEAD_END = Buffer.from('\r\n\r\n')
const SILENCE_MS = 30_000

export async function drive(order: Order): Promise<Outcome> {
  const { host, port, count, connections } = order
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(host, port)))
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
      for (const socket of sockets) converse(socket, turns, record, reject)
    })
  } finally {
    for (const socket of sockets) socket.destroy()
  }
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

/** One listener a connection, no promise a request: this process must keep up with the fastest server. */
function converse(
  socket: Socket,
  turns: () => Turn | undefined,
  record: (index: number, status: string, ms: number) => void,
  reject: (error: Error) => void,
): void {
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

  socket.on('error', reject)
  socket.on('close', () => turn && reject(new Error('the connection was closed before its answer')))
  socket.on('data', (chunk: Buffer) => {
    received = received === undefined ? chunk : Buffer.concat([received, chunk])
    const headEnd = received.indexOf(HEAD_END)
    if (headEnd < 0 || turn === undefined) return
    const head = received.toString('latin1', 0, headEnd)
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
    if (length === undefined) return reject(new Error(`an answer without Content-Length: ${head}`))
    if (received.length < headEnd + HEAD_END.length + Number(length)) return
    received = undefined
    record(turn.index, head.slice(9, 12), performance.now() - askedAt)
    take()
  })
  take()
}

function summary(tookMs: Float64Array, allMs: number, failures: Record<string, number>): Outcome {
  tookMs.sort()
  return { seconds: allMs / 1000, medianMs: tookMs[tookMs.length >> 1] ?? 0, slowestMs: tookMs.at(-1) ?? 0, failures }
}

async function open(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true })
  await once(socket, 'connect')
  return socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error('no answer in time')))
}

if (process.send !== undefined) {
  process.on('message', (order: Order) => {
    drive(order).then(
      (outcome) => process.send?.({ outcome }),
      (error: Error) => process.send?.({ error: error.message }),
    )
  })
}
