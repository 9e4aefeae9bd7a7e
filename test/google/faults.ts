import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, apiError, HTML_TYPE, JSON_TYPE } from './answers.ts'

/** Which calls go wrong (all, where neither is given), and how often (for ever, by default). */
interface Where {
  host?: string
  /** A part of the path: `:generateIdToken`, `/token`. */
  path?: string
  times?: number
}

export type Fault = Where &
  (
    | { kind: 'status'; status: number; body?: string | object; headers?: Record<string, string> }
    | { kind: 'delay'; ms: number }
    /** The connection is cut without an answer. */
    | { kind: 'reset' }
    /** Never answered. */
    | { kind: 'hang' }
    /** 200 and bytes that are not JSON. */
    | { kind: 'garbage' }
    /** The right answer under another Content-Type. */
    | { kind: 'contentType'; type: string }
    /** 200 and this body. */
    | { kind: 'body'; body: string | object }
    /** A redirect, as a proxy that wants a login makes it. */
    | { kind: 'redirect'; status: 301 | 302 | 303 | 307 | 308; to: string }
    /** 200 and this body, which a Content-Encoding of gzip stands over. */
    | { kind: 'gzip'; bytes: Uint8Array }
    /** These words on the connection, instead of an HTTP answer. */
    | { kind: 'raw'; text: string }
  )

/** `reset` and `hang` have no answer; `type` overrides the Content-Type of the real one. */
export type Effect = { answer: Answer } | { type: string } | { raw: string } | 'reset' | 'hang' | undefined

export interface Faults {
  order(fault: Fault): () => void
  clear(): void
  /** Waits out the delays ordered for this call and says what else happens to it. */
  meet(host: string, path: string): Promise<Effect>
}

export function createFaults(): Faults {
  const ordered: { fault: Fault; left: number }[] = []
  return {
    order(fault) {
      const entry = { fault, left: fault.times ?? Number.POSITIVE_INFINITY }
      ordered.push(entry)
      return () => {
        entry.left = 0
      }
    },
    clear() {
      for (const entry of ordered.splice(0)) entry.left = 0
    },
    async meet(host, path) {
      for (const entry of [...ordered]) {
        const { fault } = entry
        if (entry.left <= 0 || (fault.host ?? host) !== host || !path.includes(fault.path ?? '')) continue
        entry.left--
        if (fault.kind === 'delay') await sleep(fault.ms, undefined, { ref: false })
        else return effect(host, fault)
      }
      return undefined
    },
  }
}

function effect(host: string, fault: Exclude<Fault, { kind: 'delay' }>): Effect {
  switch (fault.kind) {
    case 'reset':
    case 'hang':
      return fault.kind
    case 'redirect': {
      const { status, to } = fault
      return { answer: { status, body: `Go to ${to}`, type: HTML_TYPE, headers: { Location: to } } }
    }
    case 'gzip':
      return { answer: { status: 200, body: fault.bytes, type: JSON_TYPE, headers: { 'Content-Encoding': 'gzip' } } }
    case 'raw':
      return { raw: fault.text }
    case 'contentType':
      return { type: fault.type }
    case 'garbage':
      return { answer: { status: 200, body: '<<<\u0000 no JSON at all {"', type: JSON_TYPE } }
    case 'body':
      return { answer: { status: 200, body: fault.body } }
    case 'status': {
      const { status, body = usualBody(host, status), headers = {} } = fault
      const type = typeof body === 'string' ? HTML_TYPE : JSON_TYPE
      return { answer: { status, body, type, headers } }
    }
  }
}

function usualBody(host: string, status: number): string | object {
  if (host === 'iamcredentials.googleapis.com') return apiError(status, `Ordered failure ${status}.`).answer.body
  if (!host.endsWith('.googleapis.com')) return `Error ${status}`
  return { error: status === 429 ? 'rate_limit_exceeded' : 'internal_failure' }
}
