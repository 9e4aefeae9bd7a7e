/** Asks a metadata server for the rules, and says how an answer differs. Nothing of a token gets into what it says. */

import { Agent } from 'node:http'
import { ask, type Reply, sendRaw, V1 } from '../http-client.ts'
import { type Asking, type Expected, NotHere, type Row, type Server } from './rule.ts'

/** A mint may take ten seconds, and the machine be busy. */
const PATIENCE_MS = 30_000
const LONGEST_SHOWN = 120
/** Kept, as clients keep them: to make one took a third of a request. */
const connections = new Agent({ keepAlive: true })

/** `url`: http, without a path. `patienceMs`: how long an answer may take. */
export function createServer(url: string, patienceMs = PATIENCE_MS): Server {
  const server: Server = {
    url,
    host: new URL(url).host,
    ask: async (target, asking = {}) => {
      const signal = AbortSignal.timeout(patienceMs)
      try {
        return await ask(url, target, { ...asking, signal, agent: connections })
      } catch (error) {
        const why = signal.aborted ? `in ${patienceMs / 1_000} s` : `(${(error as NodeJS.ErrnoException).code})`
        throw new Error(`${asking.method ?? 'GET'} ${target}: no answer ${why}`)
      }
    },
    expect: async (target, expected, asking = {}) =>
      differences(target, asking, expected, await server.ask(target, asking)),
    expectAll: async (rows) => (await Promise.all(rows.map((row: Row) => server.expect(...row)))).flat(),
    raw: (bytes, enough) => sendRaw(url, bytes, enough),
    read: async (target, asking) => {
      const { status, body } = await server.ask(target, asking)
      if (status !== 200) throw new Error(`GET ${target}: status ${status}, not 200`)
      return body
    },
    email: async () => {
      if ((await server.read(`${V1}/instance/service-accounts/`)) === '') throw new NotHere('it has no service account')
      return server.read(`${V1}/instance/service-accounts/default/email`)
    },
  }
  return server
}

function differences(target: string, { method = 'GET' }: Asking, expected: Expected, reply: Reply): string[] {
  const { status, type, body, headers = {} } = expected
  const found: string[] = []
  if (reply.status !== status) found.push(`status ${reply.status}, not ${status}`)
  for (const [name, wanted] of Object.entries({
    ...(type === undefined ? {} : { 'content-type': type }),
    ...headers,
  })) {
    const value = reply.headers[name]?.toString()
    if (!agrees(value, wanted))
      found.push(`${name} ${shown(value)}, not ${wanted === undefined ? 'absent' : String(wanted)}`)
  }
  const problem = problemOf(reply.body, body)
  if (problem !== undefined)
    found.push(`body ${isSecret(target, reply) ? `of ${reply.body.length} bytes` : shown(reply.body)} ${problem}`)
  return found.map((difference) => conceal(`${method} ${target}: ${difference}`))
}

function agrees(value: string | undefined, wanted: string | RegExp | undefined): boolean {
  return wanted instanceof RegExp ? value !== undefined && wanted.test(value) : value === wanted
}

function problemOf(body: string, wanted: Expected['body']): string | undefined {
  if (wanted === undefined) return undefined
  if (typeof wanted === 'function') return wanted(body)
  return agrees(body, wanted) ? undefined : `is not ${typeof wanted === 'string' ? shown(wanted) : wanted}`
}

function isSecret(target: string, { status }: Reply): boolean {
  return status === 200 && /\/(?:token|identity)(?:\?|$)/.test(target)
}

function shown(text: string | undefined): string {
  if (text === undefined) return 'absent'
  const safe = JSON.stringify(conceal(text))
  return safe.length > LONGEST_SHOWN ? `${safe.slice(0, LONGEST_SHOWN)}…` : safe
}

/** Without whatever may be a token: a server with a fault may answer one anywhere. */
export function conceal(text: string): string {
  return text
    .replace(/(access_token\W+)[\w.~+=/-]+/g, '$1…')
    .replace(/ya29\.[\w.-]+/g, '…')
    .replace(/[\w.~+=-]{40,}/g, '…')
}
