/** Says what came where an ID token belongs. Nothing of it is quoted but a word that holds nothing. */

import { LOCAL_ACCESS_TOKEN } from '../issuer/access-token.ts'

const STARTS: readonly [start: string, what: string][] = [
  ['ya29.', 'it is an access token'],
  [`${LOCAL_ACCESS_TOKEN}.`, 'it is an access token'],
  ['1//', 'it is a refresh token'],
  ['AIza', 'it is an API key'],
]

/** What languages and shells write for a variable that holds nothing, or for one that was not filled in. */
const EMPTY_VARIABLE = /^(undefined|null|none|nil|nan|false|true|\[object.*|\$\{?[a-z_]\w*\}?|<[a-z_ -]+>)$/i

/** Whether the text is what a variable without a value leaves. */
export const isEmptyVariable = (text: string) => EMPTY_VARIABLE.test(text)

export function noToken(word: string): string {
  return `it is the word "${word.slice(0, 200)}", so the caller had no token`
}

/** Why a text is not a JWT that can be read. */
export function whyNotJwt(text: string): string {
  const known = STARTS.find(([start]) => text.startsWith(start))
  if (known !== undefined) return known[1]
  // RFC 7516 §3.1: five parts, where a signed token has three.
  if (/^[\w-]+(?:\.[\w-]*){4}$/.test(text)) return 'it is encrypted (a JWE), and an ID token is only signed'
  if (isEmptyVariable(text)) return noToken(text)
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
