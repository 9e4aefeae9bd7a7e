/**
 * Changes of the record as server-sent events (WHATWG HTML, 9.2). Changes are collected for a moment, so that a burst is
 * one message. Nothing is queued for a slow reader: it gets what it missed in one later message.
 */

import type { ServerResponse } from 'node:http'
import { failure } from '../core/errors.ts'
import type { Changes, InspectorRecord } from './record.ts'

const MOST_STREAMS = 100
const TICK_MS = 250
/** 15 s: proxies cut silent connections after a minute or less. */
const HEARTBEAT_TICKS = 60
/** A reader that reads nothing for so long is cut off. */
const SLOW_TICKS = 60
/** Rows in one message; where more have changed, the reader has to fetch all. */
const MOST_ROWS = 200

/** How far a reader has got. */
interface Cursor {
  epoch: string
  version: number
}

interface Stream extends Cursor {
  response: ServerResponse
  notices: number
  /** Ticks since the last write, and since writing became impossible. */
  silentTicks: number
  blockedTicks: number
}

export class Streams {
  readonly #record: InspectorRecord
  readonly #open = new Set<Stream>()
  #timer: NodeJS.Timeout | undefined
  readonly #tickMs: number
  #closed = false

  /** `tickMs`: how long changes are collected. Default 250. */
  constructor(record: InspectorRecord, tickMs = TICK_MS) {
    this.#record = record
    this.#tickMs = tickMs
  }

  /** Throws STREAMS_TOO_MANY. `since`: the id of the reader's last event; without it the reader gets later changes only. */
  add(response: ServerResponse, since: string | undefined): void {
    if (this.#closed || this.#open.size >= MOST_STREAMS)
      throw failure('STREAMS_TOO_MANY', { most: String(MOST_STREAMS) })
    const { epoch, version, notices } = this.#record
    const stream = { response, notices, silentTicks: 0, blockedTicks: 0, ...(readCursor(since) ?? { epoch, version }) }
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
    response.write('retry: 1000\n\n')
    response.on('close', () => this.#remove(stream))
    this.#open.add(stream)
    this.#timer ??= setInterval(() => this.#tick(), this.#tickMs).unref()
  }

  /** Ends every stream and opens no further one. */
  close(): void {
    this.#closed = true
    clearInterval(this.#timer)
    for (const { response } of this.#open) response.end()
  }

  #remove(stream: Stream): void {
    this.#open.delete(stream)
    if (this.#open.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(): void {
    const made = new Map<string, Buffer>()
    for (const stream of this.#open) {
      stream.silentTicks += 1
      if (!stream.response.writableNeedDrain) this.#send(stream, made)
      else if (++stream.blockedTicks >= SLOW_TICKS) stream.response.destroy()
    }
  }

  #send(stream: Stream, made: Map<string, Buffer>): void {
    const { epoch, version, notices } = this.#record
    stream.blockedTicks = 0
    if (stream.epoch !== epoch || stream.version !== version || stream.notices !== notices) {
      const key = `${stream.epoch}.${stream.version}.${stream.notices}`
      const message = made.get(key) ?? Buffer.from(this.#messageFor(stream))
      made.set(key, message)
      stream.response.write(message)
      Object.assign(stream, { epoch, version, notices, silentTicks: 0 })
    } else if (stream.silentTicks >= HEARTBEAT_TICKS) {
      stream.response.write(':\n\n')
      stream.silentTicks = 0
    }
  }

  #messageFor(stream: Stream): string {
    const { epoch, version, notices, since, totals } = this.#record
    const id = `${epoch}.${version}`
    const isNew = stream.epoch !== epoch
    const cleared = isNew ? message('cleared', { epoch, since }, id) : ''
    const { more, ...rows } = cut(this.#record.changes(isNew ? 0 : stream.version))
    const changed = isNew || stream.version !== version ? message('rows', { totals, ...rows, more }, id) : ''
    return cleared + changed + (stream.notices === notices ? '' : message('state', {}, id))
  }
}

/** The data is JSON, so it contains no line break. */
function message(event: string, data: object, id: string): string {
  return `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`
}

/** The last changes of each kind, and whether there were more. */
function cut({ hops, asked, arrows }: Changes): Changes & { more: boolean } {
  const more = [hops, asked, arrows].some(({ length }) => length > MOST_ROWS)
  return { hops: hops.slice(-MOST_ROWS), asked: asked.slice(-MOST_ROWS), arrows: arrows.slice(-MOST_ROWS), more }
}

function readCursor(id: string | undefined): Cursor | undefined {
  const [, epoch, version] = /^([0-9a-f]{8})\.(\d{1,15})$/.exec(id ?? '') ?? []
  return epoch === undefined ? undefined : { epoch, version: Number(version) }
}
