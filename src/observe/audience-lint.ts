/**
 * Audiences that are valid but rarely intended: each is reported once and never refused. Without this they are noticed
 * only in the cloud, by a 401 without a reason.
 */

import type { Events } from '../core/events.ts'

export interface AudienceLintOptions {
  events: Events
  /** Audiences that a gate accepts, so they are meant. */
  accepted: readonly string[]
  /** Epoch ms. */
  now: () => number
}

/** Beyond this many, all are forgotten and may be reported again. */
const REMEMBERED = 1_000

export function lintAudiences({ events, accepted, now }: AudienceLintOptions): void {
  const said = new Set<string>()
  events.subscribe((event) => {
    if (event.type !== 'request' || event.kind !== 'id' || event.result !== 'mint' || said.has(event.audience)) return
    const advice = accepted.includes(event.audience) ? undefined : adviseOn(event.audience)
    if (advice === undefined) return
    if (said.size >= REMEMBERED) said.clear()
    said.add(event.audience)
    const text = `the audience ${event.audience} ${advice}. This is said once`
    events.record({ type: 'notice', at: now(), level: 'warn', code: 'AUDIENCE_SUSPECT', text })
  })
}

/** What is odd about an audience, or undefined. */
export function adviseOn(audience: string): string | undefined {
  const url = URL.parse(audience)
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined
  const { hostname, pathname, protocol } = url
  if (/(^|\.)googleapis\.com$/.test(hostname)) return 'is a Google API, which takes access tokens, not ID tokens'
  if (isLocalName(hostname)) return 'is a local name: no Google service accepts it'
  if (protocol === 'http:') return 'begins with http://: Cloud Run and IAP know it by https://'
  if (/\.run\.app$/.test(hostname) && pathname !== '/') {
    return 'has a path: Cloud Run expects the origin alone (Functions of the first generation want the path)'
  }
  if (audience.endsWith('/')) return 'ends in a slash: custom audiences match to the letter'
  return undefined
}

function isLocalName(hostname: string): boolean {
  return !hostname.includes('.') || /^127\.|^\[|\.localhost$|\.internal$/.test(hostname)
}
