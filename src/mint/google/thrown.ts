/**
 * Turns what a call failed with into failures of ours. Nothing of the library's errors is kept: they carry refresh tokens
 * and subject tokens, so none is logged, rethrown or made a cause (docs/minting.md, "What the library's errors carry").
 */

import { failure, SidemintError } from '../../core/errors.ts'
import { type HttpProxy, PROXY_FAULTS } from '../../http/proxy.ts'
import { OutOfTime } from '../bounded.ts'
import { Refusal } from './refusal.ts'

/** Bytes of an unpacked answer. A token has two thousand; a gzip of spaces unpacks to a thousand times its size. */
export const ANSWER_LIMIT = 1_000_000

/** Whether the next attempt may succeed: no answer came, there were too many requests, or Google has trouble. */
export function isPassing(thrown: unknown): boolean {
  const { response, code } = thrown as { response?: { status: number }; code?: unknown }
  if (response !== undefined) return isPassingStatus(response.status)
  if (typeof code !== 'string') return false
  const [, status] = /^PROXY_(\d+)$/.exec(code) ?? []
  if (status !== undefined) return isPassingStatus(Number(status))
  const reason = code.replace(/^PROXY_/, '')
  return (/^E[A-Z_]+$/.test(reason) || reason === 'CLOSED') && !isTlsCode(reason) && !isGarbageCode(reason)
}

/** Where a call goes, and through which proxy. */
export interface Destination {
  url: URL
  proxy: HttpProxy | undefined
}

/** The certificate of the host, or of the proxy, does not verify. */
export function isUntrusted(thrown: unknown): boolean {
  const { code } = thrown as { code?: unknown }
  return typeof code === 'string' && isTlsCode(code)
}

/** The parts of an error that are read: the answer, or Node's code for why there is none. */
interface Thrown {
  response?: { status: number; data?: unknown; headers?: { get(name: string): string | null } }
  code?: unknown
}

/** The error as a failure of ours, or as a refusal, which only the caller can explain. */
export function explainThrown(thrown: unknown, to: Destination): SidemintError | Refusal {
  if (thrown instanceof SidemintError || thrown instanceof Refusal) return thrown
  const { host } = to.url
  if (thrown instanceof OutOfTime) return failure('UPSTREAM_TIMEOUT', { host, way: wayTo(to) })
  const { response, code } = thrown as Thrown
  if (response !== undefined) return explainAnswer(response, to.url)
  if (typeof code !== 'string' || isGarbageCode(code)) return garbage(host)
  if (to.proxy !== undefined && code.startsWith('PROXY_')) return explainProxy(code.slice(6), to.proxy, to)
  return isTlsCode(code) ? untrusted(host, code) : failure('NETWORK_DOWN', { host, reason: code, way: wayTo(to) })
}

/** Statuses of a redirect (RFC 9110 §15.4). */
const REDIRECTS = [301, 302, 303, 307, 308]

function explainAnswer({ status, data, headers }: NonNullable<Thrown['response']>, url: URL) {
  const { host } = url
  if (REDIRECTS.includes(status)) {
    const location = headers?.get('location')
    const to = location ? URL.parse(location, url.href)?.hostname : undefined
    return failure('REDIRECT_REFUSED', { host, to: to || 'an address that is not a URL' })
  }
  if (status === 429) return failure('RATE_LIMITED', { host })
  if (isPassingStatus(status)) return failure('UPSTREAM_UNAVAILABLE', { host, status: String(status) })
  return status < 400 ? garbage(host) : new Refusal(host, status, data)
}

/** A fault of the proxy: it refused, closed the connection, is not there, or is not a proxy. */
function explainProxy(reason: string, { address: proxy, variable }: HttpProxy, to: Destination): SidemintError {
  const { host } = to.url
  if (isTlsCode(reason)) return untrusted(`the proxy ${proxy}`, reason)
  const refused = (what: string, status: number) =>
    failure('PROXY_REFUSED', { proxy, host, reason: what, variable }, { status })
  if (/^\d+$/.test(reason)) return refused(`status ${reason}`, isPassingStatus(Number(reason)) ? 503 : 403)
  if (reason === 'CLOSED' || reason === 'ECONNRESET') return refused(PROXY_FAULTS[reason], 503)
  if (reason === 'NOT_HTTP' || isGarbageCode(reason)) return refused(PROXY_FAULTS.NOT_HTTP, 403)
  const fix = `look at the proxy ${proxy} that ${variable} names: correct or unset the variable, or start the proxy`
  return failure('NETWORK_DOWN', { host, reason, way: wayTo(to) }, { fix })
}

export function garbage(host: string): SidemintError {
  return failure('UPSTREAM_GARBAGE', { host })
}

function isPassingStatus(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/** With a wrong clock every certificate has expired, or is not valid yet. */
function untrusted(host: string, reason: string): SidemintError {
  const fix = /EXPIRED|NOT_YET_VALID/.test(reason) ? CLOCK_FIX : undefined
  return failure('TLS_UNTRUSTED', { host, reason }, { fix })
}

const CLOCK_FIX =
  'compare `date -u` with the real time and set the clock; where it is right, what inspects TLS here has an old certificate'

function isTlsCode(code: string): boolean {
  return /CERT|SIGNATURE|ISSUER|ALTNAME/.test(code)
}

/** The answer was not HTTP (`HPE_`), could not be unpacked (`Z_`), or was not TLS. */
function isGarbageCode(code: string): boolean {
  return /^(HPE_|Z_|EPROTO$|ERR_SSL_)/.test(code)
}

/** How the target is reached. Names only the proxy's address: its URL may contain a password. */
function wayTo({ proxy }: Destination): string {
  return proxy === undefined ? 'without a proxy' : `through the proxy ${proxy.address}`
}
