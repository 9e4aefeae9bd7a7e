/**
 * Events as log lines: a short line for people, or a JSON record. This file decides what is logged at which level. A hit
 * gets a line only the first time; a line that repeats is held back for a while.
 */

import pino from 'pino'
import type { MintEvent, RequestEvent, SidemintEvent } from '../core/events.ts'
import { askedAddress } from '../core/hop.ts'
import { describeCut, describeGate } from './gate-line.ts'
import { FIELD_LIMIT, type Line, NOWHERE, placeOf, printable, shortEmail } from './line.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'

export interface Log {
  /** Subscribes to the event stream. */
  read(event: SidemintEvent): void
  /** A line of the banner, which is not an event. `fields` are for the JSON record. */
  say(level: Level, text: string, fields?: object): void
  /** From now on a refusal ends with its address on the page of the server at this URL; before, with its path there. */
  showAt(url: string): void
}

export interface LogOptions {
  format: 'text' | 'json'
  level: Level | 'silent'
  /** True on a terminal. */
  colour: boolean
  write: (line: string) => void
  /** Epoch ms. */
  now: () => number
}

/** A failing service retries several times a second; one line in this time says as much. */
const REPEAT_MS = 10_000
const REPEATS_KEPT = 1_000

const COLOURS: Record<Level, string> = { debug: '\x1b[2m', info: '', warn: '\x1b[33m', error: '\x1b[31m' }

const LEVELS: readonly LogOptions['level'][] = ['debug', 'info', 'warn', 'error', 'silent']

export function createLog(options: LogOptions): Log {
  const { format, level: least, now } = options
  const writtenAtMs = new Map<string, number>()
  let shownAt = ''
  const put = format === 'json' ? recordWriter(options) : textWriter(options)
  const isEnabled = (level: Level) => LEVELS.indexOf(level) >= LEVELS.indexOf(least)

  function isRepeated(key: string): boolean {
    const last = writtenAtMs.get(key)
    if (last !== undefined && now() - last >= 0 && now() - last < REPEAT_MS) return true
    if (writtenAtMs.size >= REPEATS_KEPT) writtenAtMs.clear()
    writtenAtMs.set(key, now())
    return false
  }

  return {
    read(event) {
      const level = levelOf(event)
      if (level === undefined || !isEnabled(level)) return
      const line = describe(event, shownAt)
      if (line.repeat === undefined || !isRepeated(line.repeat)) put(level, line)
    },
    say(level, text, fields = {}) {
      if (isEnabled(level)) put(level, { text, fields: () => fields })
    },
    showAt(url) {
      shownAt = url
    },
  }
}

type Put = (level: Level, line: Pick<Line, 'text' | 'fields'>) => void

function recordWriter({ write, now }: LogOptions): Put {
  const logger = pino(
    {
      level: 'debug',
      base: null,
      timestamp: () => `,"time":"${new Date(now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  )
  return (level, { text, fields }) => logger[level](fields(), text)
}

function textWriter({ colour, write, now }: LogOptions): Put {
  let second = Number.NaN
  let time = ''
  return (level, { text }) => {
    const seconds = Math.floor(now() / 1000)
    if (seconds !== second) {
      second = seconds
      time = new Date(seconds * 1000).toISOString().slice(11, 19)
    }
    const label = level === 'info' || level === 'debug' ? '' : `${level.toUpperCase()} `
    const paint = colour ? COLOURS[level] : ''
    write(`${time} ${paint}${label}${text}${paint === '' ? '' : '\x1b[0m'}\n`)
  }
}

/** Decided before a line is made: most events are hits, which are not logged at `info`. Undefined where another event reports the same. */
function levelOf(event: SidemintEvent): Level | undefined {
  if (event.type === 'notice') return event.level
  if (event.type === 'cut') return 'warn'
  if (event.type === 'gate') return event.decision === 'allow' ? 'info' : 'warn'
  if (event.type === 'mint') return event.behind ? (event.code === undefined ? 'info' : 'warn') : undefined
  const { result, first } = event
  if (result === 'error' || (result === 'stale' && first)) return 'warn'
  return result === 'mint' || first ? 'info' : 'debug'
}

function describe(event: SidemintEvent, shownAt: string): Line {
  if (event.type === 'request') return describeRequest(event, shownAt)
  if (event.type === 'mint') return describeRefresh(event)
  if (event.type === 'gate') return describeGate(event, shownAt)
  if (event.type === 'cut') return describeCut(event, shownAt)
  const { code, text, level } = event
  const line = { text: `${code}: ${printable(text, FIELD_LIMIT)}`, fields: () => ({ event: 'notice', code }) }
  // What repeats is a failure; each change of state is another one.
  return level === 'info' ? line : { ...line, repeat: `${code} ${text}` }
}

function describeRequest(event: RequestEvent, shownAt: string): Line {
  const { result, code, identity, caller } = event
  const asked = `${name(event)} ${event.status} ${printable(caller)} -> ${subject(event)}${asWhom(event)}`
  const place = result === 'error' ? placeOf(askedAddress(event), shownAt) : NOWHERE
  const line = {
    text: `${asked} ${outcome(event)}${place.text}`,
    fields: () => ({
      event: 'request',
      caller: printable(caller),
      status: event.status,
      ...fields(event),
      ...place.field,
    }),
  }
  return result === 'error'
    ? { ...line, repeat: [code, caller, identity, event.status, subject(event)].join(' ') }
    : line
}

function describeRefresh(event: MintEvent): Line {
  const failed = event.code !== undefined
  const text = `refresh ${name(event)} ${subject(event)}${asWhom(event)} ${outcome({ ...event, result: failed ? 'error' : 'mint' })}`
  const line = { text, fields: () => ({ event: 'refresh', ...fields(event) }) }
  return failed ? { ...line, repeat: `refresh ${event.code} ${event.identity} ${subject(event)}` } : line
}

function fields(event: RequestEvent | (MintEvent & { result?: string })): object {
  return {
    kind: event.kind,
    ...(event.kind === 'id'
      ? { audience: printable(event.audience, FIELD_LIMIT) }
      : { scopes: event.scopes.map((scope) => printable(scope)) }),
    identity: event.identity,
    result: event.result ?? (event.code === undefined ? 'mint' : 'error'),
    tookMs: event.tookMs,
    ...(event.expiresAtMs === undefined ? {} : { expiresInSeconds: Math.round((event.expiresAtMs - event.at) / 1000) }),
    ...(event.code === undefined ? {} : { code: event.code }),
    ...(event.reason === undefined ? {} : { reason: printable(event.reason, FIELD_LIMIT) }),
  }
}

function name({ kind }: { kind: 'id' | 'access' }): string {
  return kind === 'id' ? 'identity' : 'token'
}

function subject(event: RequestEvent | MintEvent): string {
  if (event.kind === 'id') return printable(event.audience) || '(no audience)'
  return (
    event.scopes.map((scope) => printable(scope).replace(/^https:\/\/www\.googleapis\.com\/auth\//, '')).join(',') ||
    'default scopes'
  )
}

function outcome(event: Pick<RequestEvent, 'result' | 'code' | 'reason' | 'tookMs' | 'expiresAtMs' | 'at'>): string {
  if (event.result === 'error') {
    return [event.code, printable(event.reason ?? '', FIELD_LIMIT)].filter((part) => part).join(': ')
  }
  const minutes = Math.round(((event.expiresAtMs ?? event.at) - event.at) / 60_000)
  return `${event.result} ${event.tookMs}ms exp ${minutes}m`
}

/** Empty where the email is unknown: a user's credential file does not have it. */
function asWhom({ identity }: { identity: string }): string {
  return identity === '' ? '' : ` as ${shortEmail(identity)}`
}
