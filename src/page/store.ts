/** The page's data: fetched once, then kept up to date by the stream of events. Rows are as bounded here as in the server. */

import type { Arrow, Asked, GatesState, Hop, ServerState } from '../inspector/rows.ts'

export type State = (ServerState | GatesState) & { now: number }

export interface Data {
  hops: ReadonlyMap<number, Hop>
  asked: ReadonlyMap<number, Asked>
  arrows: ReadonlyMap<number, Arrow>
  calls: number
  refused: number
  /** Rows that the server dropped. */
  forgotten: number
  state: State | undefined
  /** How far the server's clock is ahead of the browser's. */
  aheadMs: number
  connected: boolean
}

interface Rows {
  hops: Hop[]
  asked: Asked[]
  arrows: Arrow[]
  totals: { calls: number; refused: number }
}

type Bounds = Record<'hops' | 'asked' | 'arrows', { most: number; forgotten: number }>

interface Requests extends Rows {
  epoch: string
  version: number
  now: number
  bounds: Bounds
}

/** A burst that is too large for the stream makes it ask for everything, no more often than this. */
const RELOAD_MS = 1_000
const RETRY_MS = 2_000

export const EMPTY: Data = {
  hops: new Map(),
  asked: new Map(),
  arrows: new Map(),
  calls: 0,
  refused: 0,
  forgotten: 0,
  state: undefined,
  aheadMs: 0,
  connected: false,
}

async function getJson<T>(path: string): Promise<T> {
  const response = await fetch(`/_sidemint/${path}`)
  if (!response.ok) throw new Error(`${path}: ${response.status}`)
  return (await response.json()) as T
}

const rowsOf = <R extends { id: number }>(rows: readonly R[]) => new Map(rows.map((row) => [row.id, row]))

/** The rows with those that changed in the place of their older selves; beyond `most` the ones touched longest ago go. */
function merged<R extends { id: number }>(
  rows: ReadonlyMap<number, R>,
  changed: readonly R[],
  { most }: { most: number },
): Map<number, R> {
  const all = new Map(rows)
  for (const row of changed) {
    all.delete(row.id)
    all.set(row.id, row)
  }
  for (const id of all.keys()) {
    if (all.size <= most) break
    all.delete(id)
  }
  return all
}

/** Calls `onChange` with the data as it is now, from `load` until the page is left. */
export class Follower {
  readonly #onChange: (data: Data) => void
  #data = EMPTY
  #stream: EventSource | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(onChange: (data: Data) => void) {
    this.#onChange = onChange
  }

  async load(): Promise<void> {
    try {
      const [requests, state] = await Promise.all([getJson<Requests>('requests'), getJson<State>('state')])
      const { hops, asked, arrows, bounds, totals, now, epoch, version } = requests
      this.#set({
        hops: rowsOf(hops),
        asked: rowsOf(asked),
        arrows: rowsOf(arrows),
        ...callsOf(totals),
        forgotten: bounds.hops.forgotten + bounds.asked.forgotten,
        state,
        aheadMs: now - Date.now(),
      })
      this.#open(`${epoch}.${version}`, bounds)
    } catch {
      this.#set({ connected: false })
      this.#loadIn(RETRY_MS)
    }
  }

  #set(changes: Partial<Data>): void {
    this.#data = { ...this.#data, ...changes }
    this.#onChange(this.#data)
  }

  #loadIn(ms: number): void {
    this.#stream?.close()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.load(), ms)
  }

  #open(since: string, bounds: Bounds): void {
    const stream = new EventSource(`/_sidemint/events?since=${since}`)
    this.#stream = stream
    stream.onopen = () => this.#set({ connected: true })
    stream.onerror = () => {
      this.#set({ connected: false })
      // The browser opens a broken stream again by itself, but not one that was refused.
      if (stream.readyState === EventSource.CLOSED) this.#loadIn(RETRY_MS)
    }
    stream.addEventListener('cleared', () => {
      this.#set({ hops: new Map(), asked: new Map(), arrows: new Map(), calls: 0, refused: 0, forgotten: 0 })
      void this.loadState()
    })
    stream.addEventListener('rows', (event) => this.#addRows(JSON.parse((event as MessageEvent).data), bounds))
    stream.addEventListener('state', () => void this.loadState())
  }

  #addRows({ hops, asked, arrows, totals, more }: Rows & { more: boolean }, bounds: Bounds): void {
    const { hops: oldHops, asked: oldAsked, arrows: oldArrows } = this.#data
    this.#set({
      hops: merged(oldHops, hops, bounds.hops),
      asked: merged(oldAsked, asked, bounds.asked),
      arrows: merged(oldArrows, arrows, bounds.arrows),
      ...callsOf(totals),
    })
    if (more) this.#loadIn(RELOAD_MS)
  }

  /** The cache changes without an event. */
  async loadState(): Promise<void> {
    const state = await getJson<State>('state').catch(() => undefined)
    if (state !== undefined) this.#set({ state })
  }
}

function callsOf({ calls, refused }: Rows['totals']): Pick<Data, 'calls' | 'refused'> {
  return { calls, refused }
}
