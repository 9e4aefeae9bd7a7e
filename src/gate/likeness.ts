/** What a wrong audience has that the right one has not, in a few words. */

import { closestMatch } from 'leven'
import { visible } from '../core/visible.ts'

/** Longer ones are compared by their beginning: the search takes time by the product of the lengths. */
const MOST_COMPARED = 500
/** Of each, in a message. */
const MOST_SHOWN = 200
const ELSEWHERE = 'in another project or region'

/** The audience that looks most like it; undefined where there is none. */
export function nearest(aud: string, audiences: readonly string[]): string | undefined {
  const like = closestMatch(beginning(aud), audiences.map(beginning))
  return audiences.find((own) => beginning(own) === like)
}

function beginning(audience: string): string {
  return audience.slice(0, MOST_COMPARED)
}

/** What it is beside the nearest one; undefined where they differ in more than one way, or where nothing is near. */
export function describeDifference(aud: string, audiences: readonly string[]): string | undefined {
  const own = nearest(aud, audiences)
  if (own === undefined) return undefined
  const how = inText(aud, own) ?? difference(URL.parse(aud), URL.parse(own))
  return how && `is ${shown(own)} ${how}`
}

function inText(aud: string, own: string): string | undefined {
  if (aud === `${own}/`) return 'with a slash at its end'
  if (own === `${aud}/`) return 'without the slash at its end'
  if (aud.trim() === own) return 'with a space around it'
  if (aud.replace(/^(["'`])(.*)\1$/, '$2') === own) return 'with quotes around it'
  if (aud.toLowerCase() === own.toLowerCase()) return 'in other upper and lower case'
  if (own.replace(/^https?:\/\//, '') === aud) return `without ${own.slice(0, own.length - aud.length)} before it`
  if (aud === encodeURIComponent(own)) return 'percent-encoded'
  return aud === URL.parse(own)?.hostname ? 'by its host alone' : undefined
}

function difference(mine: URL | null, theirs: URL | null): string | undefined {
  if (mine === null || theirs === null) return undefined
  if (mine.host === theirs.host && mine.protocol !== theirs.protocol) {
    return `with ${shown(mine.protocol.slice(0, -1))} in place of ${theirs.protocol.slice(0, -1)}`
  }
  if (mine.origin === theirs.origin) return within(mine, theirs)
  if (mine.hostname === `${theirs.hostname}.`) return 'with a dot after its host'
  if (mine.hostname === theirs.hostname) return `with another port (${mine.port || 'none'})`
  if (!isSameService(mine, theirs)) return undefined
  return isHashed(mine) === isHashed(theirs) ? ELSEWHERE : `by its other URL, or ${ELSEWHERE}`
}

/** Two URLs of one origin. */
function within(mine: URL, theirs: URL): string {
  if (mine.username !== theirs.username || mine.password !== theirs.password) return 'with a user before its host'
  if (mine.pathname !== theirs.pathname) return `with another path (${shown(mine.pathname)})`
  if (mine.search !== theirs.search) return theirs.search === '' ? 'with a query after it' : 'with another query'
  return theirs.hash === '' ? 'with a fragment after it' : 'with another fragment'
}

/**
 * NAME-PROJECT_HASH-REGION.a.run.app and NAME-PROJECT_NUMBER.REGION.run.app
 * (cloud.google.com/run/docs/triggering/https-request#url).
 */
function isSameService(one: URL, other: URL): boolean {
  return serviceOf(one) !== undefined && serviceOf(one) === serviceOf(other)
}

function isHashed({ hostname }: URL): boolean {
  return hostname.endsWith('.a.run.app')
}

function serviceOf({ hostname }: URL): string | undefined {
  return /^(.+?)-[a-z0-9]+-[a-z]+\.a\.run\.app$|^(.+)-\d+\.[a-z0-9-]+\.run\.app$/
    .exec(hostname)
    ?.slice(1)
    .find((name) => name !== undefined)
}

function shown(text: string): string {
  return visible(text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text)
}
