/** Secrets that somebody put where another text belongs: they are not kept, logged or shown. */

import type { TokenRequest } from './token.ts'

/** Tokens and secrets of Google's, and JWTs. */
const SECRETS = /\b(?:eyJ[\w-]+(?:\.[\w-]*)*|ya29\.[\w.~+/=-]+|1\/\/[\w-]+|GOCSPX-[\w-]+)/g
/** Whatever stands before the last @ of a URL's authority. */
const USERS = /(\/\/)[^/?#\s]*@/g
/** Nearly every text is plain, and one look costs a third of replacing. */
const SUSPECT = /eyJ|ya29\.|1\/\/|GOCSPX-|\/\/[^/?#\s]*@/

/** The text without tokens, and without the user and the password of a URL. */
export function withoutSecrets(text: string, instead = '***'): string {
  return SUSPECT.test(text) ? text.replace(USERS, `$1${instead}@`).replace(SECRETS, instead) : text
}

/** An audience or a scope that was asked for, without secrets and without the query of its URL: a key of an API stands there. */
export function shownAudience(audience: string): string {
  return withoutSecrets(audience).replace(/^([a-z][\w+.-]*:\/\/[^?#]*[?#]).+$/is, '$1***')
}

/** What was asked for, as events may have it. */
export function shownRequest(request: TokenRequest): TokenRequest {
  return request.kind === 'id'
    ? { ...request, audience: shownAudience(request.audience) }
    : { ...request, scopes: request.scopes.map(shownAudience) }
}
