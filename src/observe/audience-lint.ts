/**
 * Audiences that are valid but rarely intended: each is reported once and never refused. Without this they are noticed
 * only in the cloud, by a 401 without a reason.
 */

import { createNotice, type Events } from '../core/events.ts'
import { createOnce } from '../core/once.ts'

export interface AudienceLintOptions {
  events: Events
  /** An audience that a gate accepts now is intended. */
  gates: () => readonly { audience: readonly string[] }[]
  /** Tokens are signed here, so names that only this stack knows are intended too. */
  isLocal: boolean
  /** Epoch ms. */
  now: () => number
}

export function lintAudiences({ events, gates, isLocal, now }: AudienceLintOptions): void {
  const isAccepted = (wanted: string) => gates().some(({ audience }) => audience.includes(wanted))
  const notice = createNotice(events, now)
  const isFirst = createOnce()
  events.subscribe((event) => {
    if (event.type !== 'request' || event.kind !== 'id' || event.result !== 'mint') return
    const advice = isAccepted(event.audience) ? undefined : adviseOn(event.audience, isLocal)
    if (advice === undefined || !isFirst(event.audience)) return
    notice('warn', 'AUDIENCE_SUSPECT', `the audience ${event.audience} ${advice}. This is said once`)
  })
}

/** What programs make of a missing value, or of one that is not a text: JavaScript, Python, Go, Java. */
const NO_TEXT = /\b(undefined|null|NaN|None)\b|\[object \w+\]|%!\w\(|<nil>/
/** Variables that nobody replaced: of a shell or Compose, of a template engine, of GitHub's and Terraform's files. */
const UNFILLED = /\$\{|\$[A-Z_]{2,}|\{\{|%[A-Z_]{2,}%/

/** What is odd about an audience, or undefined. `isLocal`: the tokens are for this stack only. */
export function adviseOn(audience: string, isLocal: boolean): string | undefined {
  const [missing] = NO_TEXT.exec(audience) ?? []
  if (missing !== undefined) return `holds ${missing}: the variable that it is made of has no text`
  if (UNFILLED.test(audience)) return 'holds a variable that nobody has filled in'
  if (/^["'`]|["'`]$/.test(audience))
    return 'has quotes around it, which belong to a shell or a file and not to the value'
  if (/\s/.test(audience)) return 'has a space in it: no receiver expects one'
  const url = URL.parse(audience)
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined
  const { hostname, pathname, protocol } = url
  if (/(^|\.)googleapis\.com$/.test(hostname)) return 'is a Google API, which takes access tokens, not ID tokens'
  const isOurs = isLocalName(hostname)
  if (isOurs && !isLocal) return 'is a local name: no Google service accepts it'
  if (protocol === 'http:' && !isOurs) return 'begins with http://: Cloud Run and IAP know it by https://'
  if (/\.run\.app$/.test(hostname) && pathname !== '/') {
    return 'has a path: Cloud Run expects the origin alone (Functions of the first generation want the path)'
  }
  if (audience.endsWith('/')) return 'ends in a slash: custom audiences match to the letter'
  return undefined
}

function isLocalName(hostname: string): boolean {
  return !hostname.includes('.') || /^127\.|^\[|\.localhost$|\.internal$/.test(hostname)
}
