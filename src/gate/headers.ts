/** What a gate takes off the headers of a message before it hands the message on, and what it adds. */

import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { addressOf } from './exchange.ts'

/**
 * Headers of one connection (RFC 9110 §7.6.1), with two that only a proxy reads and HTTP2-Settings, which belongs to
 * an offer of HTTP/2. Trailer goes because trailer fields are not handed on, as §6.5.1 allows; Expect because Node has
 * answered it by then.
 */
const OF_ONE_CONNECTION = [
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
]
/** Where a message ends and whom it is for: Connection cannot name these away. */
const FRAMING = ['content-length', 'host', 'transfer-encoding']
const OWN = ['x-forwarded-for', 'x-forwarded-proto', 'x-serverless-authorization']

/** An underscore counts as a hyphen for these, since WSGI and CGI cannot tell the two apart. */
const KNOWN = new Set([...OF_ONE_CONNECTION, ...FRAMING, ...OWN])

/** Only Identity-Aware Proxy may say who a user is. */
const IDENTITY = /^x-goog-(authenticated-user-|iap-jwt-assertion$)/

/** Makes a caller's headers ready for the service, as Cloud Run's front end hands them on. */
export function prepareForService(req: IncomingMessage): void {
  const { headers } = req
  dropConnection(headers)
  for (const name of Object.keys(headers)) {
    const hyphened = name.replaceAll('_', '-')
    if (IDENTITY.test(hyphened) || (hyphened !== name && KNOWN.has(hyphened))) delete headers[name]
  }
  const before = headers['x-forwarded-for']
  headers['x-forwarded-for'] = before === undefined ? addressOf(req) : `${before},${addressOf(req)}`
  headers['x-forwarded-proto'] ??= 'http'
}

/** Makes a service's headers ready for the caller; Node frames the body anew. */
export function prepareForCaller(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  dropConnection(headers)
  delete headers['transfer-encoding']
  return headers
}

function dropConnection(headers: IncomingHttpHeaders): void {
  const named = headers.connection?.split(',').map((name) => name.trim().toLowerCase()) ?? []
  for (const name of [...OF_ONE_CONNECTION, ...named]) if (!FRAMING.includes(name)) delete headers[name]
}
