/** The headers that a gate removes from a message before it passes it on, and those that it adds. */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { addressOf } from './exchange.ts'

/**
 * Headers of one connection (RFC 9110 §7.6.1), two that only a proxy reads, and HTTP2-Settings, which belongs to an offer
 * of HTTP/2. Trailer is removed because trailer fields are not passed on, as §6.5.1 allows; Expect because Node has
 * already answered it.
 */
const OF_ONE_CONNECTION = new Set([
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'upgrade',
])
/** These say where a message ends and which host it is for: Connection cannot remove them. */
const FRAMING = new Set(['content-length', 'host', 'transfer-encoding'])
const OWN = ['x-forwarded-for', 'x-forwarded-proto', 'x-serverless-authorization']

/** An underscore in these counts as a hyphen: WSGI and CGI cannot tell the two apart (docs/gate.md, "Headers and the signature"). */
const KNOWN = new Set([...OF_ONE_CONNECTION, ...FRAMING, ...OWN])

/** Only Identity-Aware Proxy may send these (docs/gate.md, "Headers and the signature"). */
const IDENTITY = /^x-goog-(authenticated-user-|iap-jwt-assertion$)/

/** Prepares a caller's headers for the service, as Cloud Run's front end does. */
export function prepareForService(req: IncomingMessage): void {
  const headers = onward(req.headers, isForged)
  const before = headers['x-forwarded-for']
  headers['x-forwarded-for'] = before === undefined ? addressOf(req) : `${before},${addressOf(req)}`
  headers['x-forwarded-proto'] ??= 'http'
  req.headers = headers
}

/** Prepares a service's headers for the caller; Node frames the body itself. */
export function prepareForCaller(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return onward(headers, (name) => name === 'transfer-encoding')
}

function isForged(name: string): boolean {
  if (!name.includes('_')) return IDENTITY.test(name)
  const hyphened = name.replaceAll('_', '-')
  return IDENTITY.test(hyphened) || KNOWN.has(hyphened)
}

/** The headers without those of the connection. Copied: V8 makes a slow object of one that a name is deleted from. */
function onward(headers: IncomingHttpHeaders, isDropped: (name: string) => boolean): IncomingHttpHeaders {
  const named = headers.connection?.split(',').map((name) => name.trim().toLowerCase())
  const kept: IncomingHttpHeaders = {}
  for (const name of Object.keys(headers)) {
    const isNamed = named?.includes(name) && !FRAMING.has(name)
    if (!isNamed && !OF_ONE_CONNECTION.has(name) && !isDropped(name)) kept[name] = headers[name]
  }
  return kept
}
