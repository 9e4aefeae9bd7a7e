/** Finds the token of a request as Cloud Run's front end does, and makes what the service gets of it. */

import { failure, type SidemintError } from '../core/errors.ts'
import { whyEmpty } from './not-a-token.ts'

export type Strip = 'both' | 'serverless-only' | 'never'

export interface BearerToken {
  header: 'authorization' | 'x-serverless-authorization'
  scheme: string
  token: string
}

/**
 * `rawHeaders`: Node's alternating names and values, where two headers of one name are still two. Beside
 * X-Serverless-Authorization, Authorization is not read and belongs to the service (docs/gate.md, "Headers and the
 * signature"). `audience` and `server`: what a token is for and who prints one; none: the commands' own default. Throws
 * TOKEN_MISSING, TOKENS_SEVERAL or TOKEN_INVALID.
 */
export function readCredential(rawHeaders: readonly string[], audience = '', server?: string): BearerToken {
  const serverless = valuesOf(rawHeaders, 'x-serverless-authorization')
  const header = serverless.length > 0 ? 'x-serverless-authorization' : 'authorization'
  const values = serverless.length > 0 ? serverless : valuesOf(rawHeaders, 'authorization')
  if (values.length > 1) throw failure('TOKENS_SEVERAL', { header: `several ${header} headers` })
  const [value] = values
  const [scheme, ...words] = value?.split(/[\s,]+/).filter((word) => word !== '') ?? []
  const [token] = words
  if (scheme?.toLowerCase() !== 'bearer' || token === undefined) {
    const asked = server === undefined ? '' : ` --server ${server}`
    throw failure('TOKEN_MISSING', { found: found(header, value), audience, server: asked })
  }
  if (words.length > 1) throw severalWords(words.join(' '), header)
  return { header, scheme, token }
}

/** In the place of a signature (docs/gate.md, "Headers and the signature"). */
export const REMOVED = '.SIGNATURE_REMOVED_BY_GOOGLE'

/** The header's value for the service, without the token's signature, so that the service cannot use the token (docs/gate.md, "Headers and the signature"). */
export function stripped({ header, scheme, token }: BearerToken, strip: Strip): string {
  const keep = strip === 'never' || (strip === 'serverless-only' && header === 'authorization')
  const unsigned = `${token.slice(0, token.lastIndexOf('.'))}${REMOVED}`
  return `${scheme} ${keep ? token : unsigned}`
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const found = rawHeaders[at] as string
    if (found.length === name.length && found.toLowerCase() === name) values.push(rawHeaders[at + 1] as string)
  }
  return values
}

/** Programs and people make one token of several words more often than they send two. */
function severalWords(text: string, header: string): SidemintError {
  const empty = whyEmpty(text)
  if (empty !== undefined) return failure('TOKEN_INVALID', { reason: empty })
  return /^bearer /i.test(text)
    ? failure('TOKEN_INVALID', { reason: 'the word Bearer stands before it twice' })
    : failure('TOKENS_SEVERAL', { header })
}

/** Only well-known schemes are shown: any other first word may be the credential itself. */
function found(header: string, value: string | undefined): string {
  if (value === undefined) return 'no Authorization header'
  const [scheme] = /^(?:basic|digest|negotiate)(?=[\s,]|$)/i.exec(value) ?? []
  if (scheme !== undefined) return `${header} has the scheme ${scheme}`
  return value.startsWith('eyJ')
    ? `${header} holds a token without Bearer before it`
    : `${header} holds no Bearer token`
}
