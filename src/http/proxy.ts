/**
 * Which proxy a request uses. Minting, the gate and doctor all read the proxy variables here: Google's library, Node.js
 * and curl each read them differently. This follows curl (`man curl`, ENVIRONMENT), and takes HTTP_PROXY for https too,
 * as Google's library does (gaxios 8.3).
 */

import { isIP } from 'node:net'
import { createRange, isCidr } from '../core/cidr.ts'
import { failure } from '../core/errors.ts'

export interface HttpProxy {
  /** The variable that names it. */
  variable: string
  /** May hold a user and a password: connect by it, and never show it. */
  url: URL
  /** Host and port, for people. */
  address: string
}

/** What a proxy did, for people, by a ProxyError's reason. Apart from that class, whose file loads a library. */
export const PROXY_FAULTS: Readonly<Record<'CLOSED' | 'ECONNRESET' | 'NOT_HTTP', string>> = {
  CLOSED: 'it closed the connection',
  ECONNRESET: 'it closed the connection',
  NOT_HTTP: 'it does not speak HTTP as a proxy does',
}

const FOR_HTTP = ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']
const VARIABLES: Record<string, readonly string[]> = {
  'https:': ['HTTPS_PROXY', 'https_proxy', ...FOR_HTTP],
  'http:': FOR_HTTP,
}

/** This machine and its link: a proxy could not reach them for us. */
const isNearAddress = createRange(['127.0.0.0/8', '169.254.0.0/16', '::1', 'fe80::/10'])

/**
 * The proxy by which requests to the target go; undefined where they go straight: no variable is set, NO_PROXY spares
 * the host, or the target is a loopback or link-local address.
 *
 * The first of HTTPS_PROXY (for https targets only), HTTP_PROXY and ALL_PROXY that is set and not empty counts, upper
 * case before lower. A proxy without a scheme is an http one; without a port it is at 1080, an https one at 443
 * (curl 8.14, lib/url.c, parse_proxy).
 *
 * Throws PROXY_UNUSABLE where the variable names no http or https proxy (SOCKS is not supported).
 */
export function proxyFor(target: string | URL, env: NodeJS.ProcessEnv = process.env): HttpProxy | undefined {
  const { protocol, hostname, port } = new URL(target)
  const variable = VARIABLES[protocol]?.find((name) => env[name])
  if (variable === undefined) return undefined
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (isNear(host) || isSpared(host, port || (protocol === 'https:' ? '443' : '80'), env)) return undefined
  const url = readProxy(variable, env[variable]?.trim() ?? '')
  return { variable, url, address: `${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}` }
}

function readProxy(variable: string, value: string): URL {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`)
  if (url === null) throw failure('PROXY_UNUSABLE', { variable, reason: 'it is not a URL' })
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    const kind = url.protocol.startsWith('socks') ? 'SOCKS proxies' : `proxies of the kind ${url.protocol}//`
    throw failure('PROXY_UNUSABLE', { variable, reason: `${kind} are not supported` })
  }
  try {
    decodeURIComponent(`${url.username}${url.password}`)
  } catch {
    throw failure('PROXY_UNUSABLE', { variable, reason: 'a % in its user or password is not written as %25' })
  }
  if (url.protocol === 'http:' && !/:\d+$/.test(authorityOf(value))) url.port = '1080'
  return url
}

/** As it was written: a URL leaves out port 80. */
function authorityOf(value: string): string {
  return value.replace(/^\w+:\/\//, '').replace(/[/?#].*$/s, '')
}

function isNear(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || isNearAddress(host)
}

/**
 * NO_PROXY as curl reads it: names separated by commas or spaces, each for itself and for what ends in it, with or
 * without a leading dot (or `*.`); `*` for all; addresses and CIDR ranges. An entry with a port is for that port only.
 */
function isSpared(host: string, port: string, env: NodeJS.ProcessEnv): boolean {
  const entries = (env.NO_PROXY || env.no_proxy || '').toLowerCase().split(/[\s,]+/)
  return entries.some((entry) => {
    if (entry === '*') return true
    const [, name = '', only = port] = /^\[?(.+?)\]?(?:(?<=\]|^[^:]+):(\d+))?$/.exec(entry) ?? []
    if (name === '' || only !== port) return false
    if (isIP(host) !== 0) return isCidr(name) && createRange([name])(host)
    const suffix = name.replace(/^\*?\./, '').replace(/\.$/, '')
    return host === suffix || host.endsWith(`.${suffix}`)
  })
}
