/** Says what came where an ID token belongs. Only well-known words are quoted: all else may be a secret. */

import { LOCAL_ACCESS_TOKEN } from '../issuer/access-token.ts'

const STARTS: readonly [start: string, what: string][] = [
  ['ya29.', 'it is an access token'],
  [`${LOCAL_ACCESS_TOKEN}.`, 'it is an access token'],
  ['1//', 'it is a refresh token'],
  ['AIza', 'it is an API key'],
]

/** What languages write for a variable that holds nothing, and JavaScript for an object. */
const NOTHING = /^(undefined|null|none|nil|nan|false|true|\[object (object|promise)\])$/i

/** What JavaScript, shells and templates leave in the place of a text. A password may look like these, so they are not quoted. */
const LEFT: readonly [form: RegExp, what: string][] = [
  [/^\[object \w+\]$/i, 'what JavaScript writes for an object'],
  [/^\$\{?[a-z_]\w*\}?$/i, 'a variable that was not filled in'],
  [/^<[a-z_ -]+>$/i, 'a placeholder that was not filled in'],
]

/** Which text without a token this is; undefined where it may be one. */
export function whyEmpty(text: string): string | undefined {
  const what = NOTHING.test(text) ? `the word "${text}"` : LEFT.find(([form]) => form.test(text))?.[1]
  return what && `it is ${what}, so the caller had no token`
}

/** Why a text is not a JWT that can be read. */
export function whyNotJwt(text: string): string {
  const known = STARTS.find(([start]) => text.startsWith(start))
  if (known !== undefined) return known[1]
  // RFC 7516 §3.1: five parts, where a signed token has three.
  if (/^[\w-]+(?:\.[\w-]*){4}$/.test(text)) return 'it is encrypted (a JWE), and an ID token is only signed'
  const empty = whyEmpty(text)
  if (empty !== undefined) return empty
  // A JWT begins with `{"` in base64.
  if (!text.includes('eyJ')) return 'it is not a JWT'
  if (/^[\w.-]+$/.test(text)) return whyUnreadable(text.split('.').length)
  return /^[\w.+/=-]+$/.test(text)
    ? 'it is written in base64, where a JWT has base64url without padding'
    : 'it is a JWT with other characters around it'
}

function whyUnreadable(parts: number): string {
  return parts === 3
    ? 'it is not a JWT: its header or its payload is not JSON'
    : `it has ${parts} parts, where a JWT has 3`
}
